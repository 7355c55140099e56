-- A new delivery, unless it is there: id, now, status, look, steps, line, then field, value, …
local id, now = ARGV[1], clock(ARGV[2])
if redis.call('EXISTS', record(id)) == 1 then return 0 end
local fields = {}
for i = 7, #ARGV do fields[#fields + 1] = ARGV[i] end
redis.call('HSET', record(id), 'status', ARGV[3], 'created', now, 'updated', now, 'fence', 0, unpack(fields))
redis.call('SADD', root .. 'workspaces', workspace(id))
redis.call('ZADD', shelf(id, ARGV[3]), now, id)
plan(id, redis.call('HGET', record(id), 'due'))
redis.call('SET', root .. 'steps:' .. id, ARGV[5])
if ARGV[4] ~= '' then redis.call('ZADD', root .. 'due', ARGV[4], id) end
note(id, now, ARGV[6])
return 1
