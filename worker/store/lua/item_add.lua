-- An article that a source brought, stored unless it is there: id, now, ms until it is looked at ('' = never), fate,
-- reason, way, how many identity keys follow, the keys, then field, value, …  Answers who has it first: this item's own
-- id if it is new, the id and 'known' if this very item was there.
local id, now = ARGV[1], clock(ARGV[2])
if redis.call('EXISTS', item(id)) == 1 then
  heard(id, ARGV[6])
  return {id, 'known'}
end
local n = tonumber(ARGV[7])
local owner = id
for i = 8, 7 + n do
  -- Each key by itself: whoever has the guid has no claim yet to an address that nobody had.
  local other = first(id, {ARGV[i]}, false)
  if owner == id then owner = other end
end
redis.call('HSET', item(id), 'created', now, 'updated', now, 'ways', ARGV[6], 'lease', 0, 'fence', 0, 'tries', 0)
for i = 8 + n, #ARGV, 2 do redis.call('HSET', item(id), ARGV[i], ARGV[i + 1]) end
local fate, reason, look = ARGV[4], ARGV[5], ARGV[3]
redis.call('HSET', item(id), 'fate', fate, 'reason', reason)
index(id, fate, now)
if look ~= '' then redis.call('ZADD', root .. 'intake:due', now + tonumber(look), id) end
return {owner, 'new'}
