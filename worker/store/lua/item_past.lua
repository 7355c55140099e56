-- An item that is long settled keeps only what is needed to know its article again: id, now, ms since its last move at
-- the least, fates that are settled, what is kept of what its source said. Answers 1 if it was done.
local id, now = ARGV[1], clock(ARGV[2])
local h = redis.call('HMGET', item(id), 'fate', 'updated', 'source', 'indexed')
if not h[1] or not has(ARGV[4], h[1]) or tonumber(h[2]) > now - tonumber(ARGV[3]) then return 0 end
redis.call('HSET', item(id), 'candidate', ARGV[5])
redis.call('HDEL', item(id), 'title', 'ways', 'indexed')
if h[4] then redis.call('ZREM', root .. 'items:fate:' .. h[4], id) end
redis.call('ZREM', root .. 'items:source:' .. (h[3] or ''), id)
redis.call('ZADD', root .. 'items:past', h[2], id)
return 1
