-- A draft is thrown away as if it had never been: id. Answers 'ok', 'gone' or the status it has.
local id = ARGV[1]
local status = redis.call('HGET', record(id), 'status')
if not status then return 'gone' end
if status ~= 'draft' then return status end
redis.call('ZREM', shelf(id, status), id)
redis.call('ZREM', root .. 'planned:' .. workspace(id), id)
redis.call('DEL', record(id), root .. 'steps:' .. id, root .. 'history:' .. id)
return 'ok'
