-- Sources to poll: now, most, ms until a poll counts as lost, ms between two polls of one host. One whose host was asked
-- just now is put off to that host's next turn. Answers the ids, and the ms until the next ('' if there is none).
local now, gap = clock(ARGV[1]), tonumber(ARGV[4])
local polls, hosts, turns = root .. 'polls', root .. 'polls:hosts', root .. 'polls:turns'
local ids = {}
redis.call('ZREMRANGEBYSCORE', turns, '-inf', now)
for _, id in ipairs(redis.call('ZRANGEBYSCORE', polls, '-inf', now, 'LIMIT', 0, 10 * tonumber(ARGV[2]))) do
  local host = redis.call('HGET', hosts, id) or ''
  local turn = host ~= '' and tonumber(redis.call('ZSCORE', turns, host) or 0) or 0
  if turn > now then
    redis.call('ZADD', polls, turn, id)
  else
    ids[#ids + 1] = id
    redis.call('ZADD', polls, now + tonumber(ARGV[3]), id)
    if host ~= '' and gap > 0 then redis.call('ZADD', turns, now + gap, host) end
    if #ids >= tonumber(ARGV[2]) then break end
  end
end
local following = redis.call('ZRANGE', polls, 0, 0, 'WITHSCORES')[2]
return {ids, following and math.max(0, following - now) or ''}
