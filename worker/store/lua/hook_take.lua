-- Sources whose hub is to be asked now: now, most, ms until each is given out again.
local now = clock(ARGV[1])
local key = root .. 'hooks:asking'
local ids = redis.call('ZRANGEBYSCORE', key, '-inf', now, 'LIMIT', 0, tonumber(ARGV[2]))
for _, id in ipairs(ids) do redis.call('ZADD', key, now + tonumber(ARGV[3]), id) end
return ids
