-- Somebody says that a source has news: source, now, hint. It is polled as soon as its host may be asked.
local id, now = ARGV[1], clock(ARGV[2])
if redis.call('HEXISTS', root .. 'sources', id) == 0 then return 0 end
redis.call('HSET', root .. 'source:' .. id .. ':state', 'noticed', now, 'hint', ARGV[3])
redis.call('ZADD', root .. 'polls', now, id)
return 1
