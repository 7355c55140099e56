-- One step of a shard to schema 3: most deliveries, then the names of statuses. Answers how many it did, 0 if none is
-- left. Where it was is kept in the shard, so a step that is made twice, or by two at once, changes nothing.
local most = tonumber(ARGV[1])
-- From 1: lists by status become lists by status and workspace. What has moved leaves the old list.
for i = 2, #ARGV do
  local old = root .. 'status:' .. ARGV[i]
  local found = redis.call('ZRANGE', old, 0, most - 1, 'WITHSCORES')
  for n = 1, #found, 2 do
    local id = found[n]
    redis.call('SADD', root .. 'workspaces', workspace(id))
    redis.call('ZADD', shelf(id, ARGV[i]), found[n + 1], id)
    plan(id, redis.call('HGET', record(id), 'due'))
    redis.call('ZREM', old, id)
  end
  if #found > 0 then return #found / 2 end
end
-- From 1 and 2: where each stands in its account's calendar, and what stands in none any more. By instant, not by a
-- cursor: a server that was restarted gives another order to a cursor. All of one instant at once, so none is passed.
local names = redis.call('SMEMBERS', root .. 'workspaces')
table.sort(names)
for _, name in ipairs(names) do
  local from = redis.call('HGET', root .. 'upgrade', name)
  local key = root .. 'planned:' .. name
  local found = redis.call('ZRANGEBYSCORE', key, from and '(' .. from or '-inf', '+inf', 'WITHSCORES', 'LIMIT', 0, most)
  local last = found[#found]
  if last then
    for n = 1, #found, 2 do
      if found[n + 1] ~= last then plan(found[n], found[n + 1]) end
    end
    local same = redis.call('ZRANGEBYSCORE', key, last, last)
    for _, id in ipairs(same) do plan(id, last) end
    redis.call('HSET', root .. 'upgrade', name, last)
    return math.max(#found / 2, #same)
  end
end
return 0
