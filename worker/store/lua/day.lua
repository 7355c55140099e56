-- Take one of a day's places: key of the day, item, most, ms that the day is remembered. 1 if it has one.
local key = root .. ARGV[1]
if redis.call('SISMEMBER', key, ARGV[2]) == 1 then return 1 end
if redis.call('SCARD', key) >= tonumber(ARGV[3]) then return 0 end
redis.call('SADD', key, ARGV[2])
redis.call('PEXPIRE', key, ARGV[4])
return 1
