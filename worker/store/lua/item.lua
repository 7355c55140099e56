-- What the scripts about items share; their keys begin with the workspace's.
local function item(id) return root .. 'item:' .. id end

local function heard(id, way)
  local ways = redis.call('HGET', item(id), 'ways') or ''
  if way ~= '' and not has(ways, way) then redis.call('HSET', item(id), 'ways', ways == '' and way or ways .. ',' .. way) end
end

local function index(id, fate, now)
  local before = redis.call('HGET', item(id), 'indexed')
  local source = redis.call('HGET', item(id), 'source') or ''
  if before then
    redis.call('ZREM', root .. 'items:fate:' .. before, id)
  end
  redis.call('HSET', item(id), 'indexed', fate)
  redis.call('ZADD', root .. 'items:fate:' .. fate, now, id)
  redis.call('ZADD', root .. 'items:source:' .. source, now, id)
end

-- Which item was first with an article of these keys; the keys become its own. One that a rule skipped, or that could
-- not be read, gives way to the next; one that is firm (older than its source) or forgotten does not.
local function first(id, list, force)
  local owner = id
  if not force then
    for _, key in ipairs(list) do
      local other = redis.call('HGET', root .. 'identity', key)
      if other and other ~= id then
        local h = redis.call('HMGET', item(other), 'fate', 'firm', 'of')
        if h[1] == 'duplicate' and h[3] and h[3] ~= '' and h[3] ~= id then
          other = h[3]
          h = redis.call('HMGET', item(other), 'fate', 'firm', 'of')
        end
        if not ((h[1] == 'skipped' or h[1] == 'failed') and h[2] ~= '1') and h[3] ~= id then
          owner = other
          break
        end
      end
    end
  end
  for _, key in ipairs(list) do
    if force or owner == id or not redis.call('HGET', root .. 'identity', key) then
      redis.call('HSET', root .. 'identity', key, owner)
    end
  end
  return owner
end
