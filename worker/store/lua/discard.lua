-- A draft is thrown away as if it had never been: id. Answers 'ok', 'gone' or the status it has.
local id = ARGV[1]
local h = redis.call('HMGET', record(id), 'status', 'account')
local status = h[1]
if not status then return 'gone' end
if status ~= 'draft' then return status end
redis.call('ZREM', shelf(id, status), id)
for _, whose in ipairs({workspace(id), h[2]}) do redis.call('ZREM', root .. 'planned:' .. whose, id) end
redis.call('DEL', record(id), root .. 'steps:' .. id, root .. 'history:' .. id)
return 'ok'
