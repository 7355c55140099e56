-- The right to work on an item whose time has come: id, now, ms of the lease. Answers the fence, 0 if it is not ours.
-- While it is held, the item is due again for when the lease ends: a worker that is lost is followed by another.
local id, now = ARGV[1], clock(ARGV[2])
redis.call('ZREM', root .. 'intake:waking', id)
local h = redis.call('HMGET', item(id), 'fate', 'lease')
if not h[1] or not has('new,held', h[1]) or tonumber(h[2]) > now then return 0 end
local planned = redis.call('ZSCORE', root .. 'intake:due', id)
if planned and tonumber(planned) > now then return 0 end
redis.call('HSET', item(id), 'lease', now + tonumber(ARGV[3]))
redis.call('ZADD', root .. 'intake:due', now + tonumber(ARGV[3]), id)
redis.call('HINCRBY', item(id), 'begun', 1)
return redis.call('HINCRBY', item(id), 'fence', 1)
