-- The last step before the commit: id, fence, now, ms the commit may take, steps.
-- Only who holds the newest fence and enough of the lease may go on, and only while nobody has pressed stop.
-- Asked again after a lost answer ('publishing' by this very fence) it says the same.
local id, now = ARGV[1], clock(ARGV[3])
local h = redis.call('HMGET', record(id), 'status', 'fence', 'account', 'workspace')
if h[2] ~= ARGV[2] or not has('preparing,publishing,unconfirmed', h[1]) then return 'lost' end
local ends = redis.call('ZSCORE', root .. 'leases', id)
if not ends or tonumber(ends) - now < tonumber(ARGV[4]) then return 'lost' end
if stopped(h[3], h[4], now) then return 'paused' end
if ARGV[5] ~= '' then redis.call('SET', root .. 'steps:' .. id, ARGV[5]) end
if h[1] ~= 'unconfirmed' then move(id, h[1], 'publishing', now) end
return 'ok'
