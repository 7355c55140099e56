-- Put an account and its secrets in place of those that were read: id, the two as read, the two as they shall be.
local id = ARGV[1]
local accounts, secrets = root .. 'accounts', root .. 'secrets'
if (redis.call('HGET', accounts, id) or '') ~= ARGV[2] then return 0 end
if (redis.call('HGET', secrets, id) or '') ~= ARGV[3] then return 0 end
redis.call('HSET', accounts, id, ARGV[4])
if ARGV[5] ~= '' then redis.call('HSET', secrets, id, ARGV[5]) end
return 1
