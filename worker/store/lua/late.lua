-- How many posts are late: now, ms after the planned time that count as late. Looked at are the next 2,000 of the
-- shard's calendar and all that a worker has or is about to take up.
local now, grace = clock(ARGV[1]), tonumber(ARGV[2])
local late = 0
for name, last in pairs({due = 1999, waking = -1, leases = -1}) do
  for _, id in ipairs(redis.call('ZRANGE', root .. name, 0, last)) do
    local h = redis.call('HMGET', record(id), 'status', 'due')
    if h[1] and has('scheduled,preparing,publishing', h[1]) and now - tonumber(h[2]) > grace then late = late + 1 end
  end
end
return late
