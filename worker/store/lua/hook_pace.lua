-- Take one of a minute's calls of a source: source, now, most, a name of its own. Answers 0, or the ms to wait.
local now = clock(ARGV[2])
local key = root .. 'source:' .. ARGV[1] .. ':pace'
redis.call('ZREMRANGEBYSCORE', key, '-inf', now - 60000)
if redis.call('ZCARD', key) >= tonumber(ARGV[3]) then
  return math.max(1, redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')[2] + 60000 - now)
end
redis.call('ZADD', key, now, ARGV[4])
redis.call('PEXPIRE', key, 60000)
return 0
