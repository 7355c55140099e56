-- To schema 3. From 1: a workspace's articles in the order of their arrival, on the shelf they belong to. When they
-- arrived was not kept, so it is when they are found, except that those of one upgrade keep the order of their ids.
local now = clock('')
local ids = redis.call('TYPE', root .. 'articles').ok == 'set' and redis.call('SMEMBERS', root .. 'articles') or {}
table.sort(ids)
for n, id in ipairs(ids) do
  local key = root .. 'article:' .. id
  if redis.call('EXISTS', key) == 1 and not redis.call('HGET', key, 'arrived') then
    local at = now - #ids + n
    redis.call('HSET', key, 'arrived', at)
    local shelf = redis.call('EXISTS', key .. ':deliveries') == 1 and 'planned' or 'new'
    for _, list in ipairs({'all', shelf}) do redis.call('ZADD', root .. 'articles:' .. list, at, id) end
  end
end
redis.call('DEL', root .. 'articles')
return 'ok'
