-- Whether an event of a source was settled before: source, now, key, '1' to settle it, ms and number remembered.
-- It is settled only after it was worked on: a sender whose call was lost half way repeats it and is heard.
local now = clock(ARGV[2])
local key = root .. 'source:' .. ARGV[1] .. ':heard'
if redis.call('ZSCORE', key, ARGV[3]) then return 1 end
if ARGV[4] == '1' then
  redis.call('ZADD', key, now, ARGV[3])
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now - tonumber(ARGV[5]))
  redis.call('ZREMRANGEBYRANK', key, 0, -tonumber(ARGV[6]) - 1)
  redis.call('PEXPIRE', key, ARGV[5])
end
return 0
