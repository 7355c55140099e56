-- What a worker must not lose before it goes on (uploaded media): id, fence, steps.
if redis.call('HGET', record(ARGV[1]), 'fence') ~= ARGV[2] then return 'lost' end
redis.call('SET', root .. 'steps:' .. ARGV[1], ARGV[3])
return 'ok'
