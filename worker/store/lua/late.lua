-- How many posts are late: now, ms after the planned time that count as late, the workspace ('' = any). What should have been looked at so long
-- ago is late; what is looked at again later may be, so the next 500 are asked, and all that a worker has.
local now, grace = clock(ARGV[1]), tonumber(ARGV[2])
local past = now - grace - 1
local mine = ARGV[3] ~= '' and ARGV[3] .. '.' or ''
local function ours(id) return string.sub(id, 1, #mine) == mine end
local late = 0
if mine == '' then
  late = redis.call('ZCOUNT', root .. 'due', '-inf', past)
else
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', root .. 'due', '-inf', past)) do
    if ours(id) then late = late + 1 end
  end
end
local function ask(ids)
  for _, id in ipairs(ids) do
    local h = ours(id) and redis.call('HMGET', record(id), 'status', 'due') or {}
    if h[1] and has('scheduled,preparing,publishing', h[1]) and tonumber(h[2]) <= past then late = late + 1 end
  end
end
ask(redis.call('ZRANGEBYSCORE', root .. 'due', '(' .. past, '+inf', 'LIMIT', 0, 500))
ask(redis.call('ZRANGE', root .. 'waking', 0, -1))
ask(redis.call('ZRANGE', root .. 'leases', 0, -1))
-- Whoever has been told twice to post by hand, and has not said that it is done, is late.
for _, w in ipairs(ARGV[3] ~= '' and {ARGV[3]} or redis.call('SMEMBERS', root .. 'workspaces')) do
  for _, id in ipairs(redis.call('ZRANGE', root .. 'status:' .. w .. ':awaiting person', 0, -1)) do
    if not redis.call('ZSCORE', root .. 'due', id) and not redis.call('ZSCORE', root .. 'waking', id) then
      late = late + 1
    end
  end
end
return late
