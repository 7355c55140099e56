-- To schema 3. From 1: lists by status and workspace, and where each delivery stands in its workspace's calendar.
-- From 1 and 2: where it stands in its account's, and what stands in none any more.
for i = 1, #ARGV do
  local old = root .. 'status:' .. ARGV[i]
  local found = redis.call('ZRANGE', old, 0, -1, 'WITHSCORES')
  for n = 1, #found, 2 do
    local id = found[n]
    redis.call('SADD', root .. 'workspaces', workspace(id))
    redis.call('ZADD', shelf(id, ARGV[i]), found[n + 1], id)
    plan(id, redis.call('HGET', record(id), 'due'))
  end
  redis.call('DEL', old)
end
for _, name in ipairs(redis.call('SMEMBERS', root .. 'workspaces')) do
  local found = redis.call('ZRANGE', root .. 'planned:' .. name, 0, -1, 'WITHSCORES')
  for n = 1, #found, 2 do plan(found[n], found[n + 1]) end
end
return 'ok'
