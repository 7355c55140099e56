-- A poll has ended: source, instant it began, now, ms until the next ('' = never), ms for which its host asks to be left
-- alone, then field, value, …  What was noticed after it began is still to be looked at.
local id, now = ARGV[1], clock(ARGV[3])
local key = root .. 'source:' .. id .. ':state'
if redis.call('HEXISTS', root .. 'sources', id) == 0 then return 0 end
for i = 6, #ARGV, 2 do redis.call('HSET', key, ARGV[i], ARGV[i + 1]) end
if tonumber(ARGV[5]) > 0 then
  local host = redis.call('HGET', root .. 'polls:hosts', id)
  if host then redis.call('ZADD', root .. 'polls:turns', now + tonumber(ARGV[5]), host) end
end
if ARGV[4] == '' then
  redis.call('ZREM', root .. 'polls', id)
elseif tonumber(redis.call('HGET', key, 'noticed') or 0) >= tonumber(ARGV[2]) then
  redis.call('ZADD', root .. 'polls', now, id)
else
  redis.call('ZADD', root .. 'polls', now + tonumber(ARGV[4]), id)
end
return 1
