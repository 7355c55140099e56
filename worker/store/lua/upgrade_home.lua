-- One step of a workspace to schema 3: most articles. From 1: they stand in the order of their arrival, on the shelf
-- they belong to. When they arrived was not kept, so it is when they are found. Answers how many it did, 0 if none is left.
local now = clock('')
if redis.call('TYPE', root .. 'articles').ok ~= 'set' then return 0 end
local ids = redis.call('SRANDMEMBER', root .. 'articles', ARGV[1])
table.sort(ids)
for n, id in ipairs(ids) do
  local key = root .. 'article:' .. id
  if redis.call('EXISTS', key) == 1 and not redis.call('HGET', key, 'arrived') then
    local at = now - #ids + n
    redis.call('HSET', key, 'arrived', at)
    local shelf = redis.call('EXISTS', key .. ':deliveries') == 1 and 'planned' or 'new'
    for _, list in ipairs({'all', shelf}) do redis.call('ZADD', root .. 'articles:' .. list, at, id) end
  end
  redis.call('SREM', root .. 'articles', id)
end
return #ids
