-- What became of an item: id, now, fence ('' = a person's decision), fates it may have had, fate, reason, ms until the
-- next look ('' = never), tries to add, then field, value, …  Answers 'ok', 'gone', 'lost' or the fate it has.
local id, now = ARGV[1], clock(ARGV[2])
local h = redis.call('HMGET', item(id), 'fate', 'fence', 'lease')
if not h[1] then return 'gone' end
if not has(ARGV[4], h[1]) then return h[1] end
if ARGV[3] ~= '' then
  if h[2] ~= ARGV[3] then return 'lost' end
else
  if tonumber(h[3]) > now then return 'busy' end
  redis.call('HINCRBY', item(id), 'fence', 1)
end
for i = 9, #ARGV, 2 do redis.call('HSET', item(id), ARGV[i], ARGV[i + 1]) end
redis.call('HINCRBY', item(id), 'tries', ARGV[8])
redis.call('HSET', item(id), 'fate', ARGV[5], 'reason', ARGV[6], 'lease', 0, 'begun', 0, 'updated', now)
index(id, ARGV[5], now)
redis.call('ZREM', root .. 'intake:waking', id)
if ARGV[7] == '' then
  redis.call('ZREM', root .. 'intake:due', id)
else
  redis.call('ZADD', root .. 'intake:due', now + tonumber(ARGV[7]), id)
end
return 'ok'
