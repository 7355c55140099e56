-- What a worker must not lose before it goes on (uploaded media): id, fence, steps.
local h = redis.call('HMGET', record(ARGV[1]), 'status', 'fence')
if h[2] ~= ARGV[2] or h[1] ~= 'preparing' then return 'lost' end
redis.call('SET', root .. 'steps:' .. ARGV[1], ARGV[3])
return 'ok'
