-- Items to wake: now, most that may wait at once, ms until a wake-up counts as lost. Answers the ids, and the ms until
-- the next look ('' if there is none).
local now = clock(ARGV[1])
local due, waking = root .. 'intake:due', root .. 'intake:waking'
for _, id in ipairs(redis.call('ZRANGEBYSCORE', waking, '-inf', now, 'LIMIT', 0, 100)) do
  redis.call('ZREM', waking, id)
  redis.call('ZADD', due, now, id)
end
local room = tonumber(ARGV[2]) - redis.call('ZCARD', waking)
local ids = {}
if room > 0 then ids = redis.call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, room) end
for _, id in ipairs(ids) do
  redis.call('ZREM', due, id)
  redis.call('ZADD', waking, now + tonumber(ARGV[3]), id)
end
local following = redis.call('ZRANGE', due, 0, 0, 'WITHSCORES')[2]
return {ids, following and math.max(0, following - now) or ''}
