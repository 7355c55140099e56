-- A scope may not send until: scope, ms since 1970 ('0' = until resumed), why. A longer stop that is there stands.
local found = redis.call('HGET', root .. 'paused', ARGV[1])
local there = found and tonumber(string.match(found, '^%d+'))
local ends = tonumber(ARGV[2])
if there and ends ~= 0 and (there == 0 or there > ends) then return 0 end
redis.call('HSET', root .. 'paused', ARGV[1], ARGV[2] .. '|' .. ARGV[3])
return 1
