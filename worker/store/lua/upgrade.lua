-- From schema 1 to 2: lists by status and workspace, and where each delivery stands in its workspace's calendar.
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
return 'ok'
