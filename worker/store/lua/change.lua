-- A person or a rule moves a delivery that no worker holds: id, now, allowed origins, new status, look ('' = never),
-- steps ('' = unchanged), line, fence expected ('' = any), then field, value, …  Answers 'ok' or the status it has.
-- The fence moves on, so a worker that lost its lease and wakes up late cannot undo what was decided.
local id, now = ARGV[1], clock(ARGV[2])
local h = redis.call('HMGET', record(id), 'status', 'fence')
if not h[1] then return 'gone' end
if not has(ARGV[3], h[1]) or redis.call('ZSCORE', root .. 'leases', id) then return h[1] end
if ARGV[8] ~= '' and ARGV[8] ~= h[2] then return 'changed' end
if h[1] == 'scheduled' and not may_stay(id, ARGV[4]) then return h[1] end
if ARGV[6] ~= '' then redis.call('SET', root .. 'steps:' .. id, ARGV[6]) end
for i = 9, #ARGV, 2 do
  redis.call('HSET', record(id), ARGV[i], ARGV[i + 1])
  if ARGV[i] == 'due' then plan(id, ARGV[i + 1]) end
end
redis.call('HINCRBY', record(id), 'fence', 1)
move(id, h[1], ARGV[4], now)
look(id, ARGV[5])
note(id, now, ARGV[7])
return 'ok'
