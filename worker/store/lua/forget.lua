-- A delivery that is long over is forgotten: id, now, ms since its last move at the least, statuses that are over.
-- Answers its article and account, or nothing if it moved meanwhile or somebody holds it.
local id, now = ARGV[1], clock(ARGV[2])
local h = redis.call('HMGET', record(id), 'status', 'updated', 'article', 'account')
if not h[1] or not has(ARGV[4], h[1]) or tonumber(h[2]) > now - tonumber(ARGV[3]) then return {} end
if redis.call('ZSCORE', root .. 'leases', id) then return {} end
redis.call('DEL', record(id), root .. 'steps:' .. id, root .. 'history:' .. id)
redis.call('ZREM', shelf(id, h[1]), id)
redis.call('ZREM', root .. 'gone:' .. workspace(id), id)
for _, whose in ipairs({workspace(id), h[4]}) do redis.call('ZREM', root .. 'planned:' .. whose, id) end
for _, list in ipairs({'due', 'waking'}) do redis.call('ZREM', root .. list, id) end
redis.call('SREM', root .. 'doubles', id)
return {h[3], h[4]}
