-- A wake-up is taken up: id, now, lease ms, ms after which a post is too late, ms to wait while paused, line if held.
-- Answers the fence, the record and the steps, or one word that says why not.
local id, now = ARGV[1], clock(ARGV[2])
redis.call('ZREM', root .. 'waking', id)
local h = redis.call('HMGET', record(id), 'status', 'due', 'account', 'workspace', 'step', 'uncertain', 'attempts')
local status = h[1]
if not status then return {'gone'} end
if status ~= 'scheduled' and status ~= 'unconfirmed' then return {status} end
if redis.call('ZSCORE', root .. 'leases', id) then return {'leased'} end
local planned = redis.call('ZSCORE', root .. 'due', id)
if planned and tonumber(planned) > now then return {'early'} end
local ends, why = stopped(h[3], h[4], now)
if ends then
  local again = now + tonumber(ARGV[5])
  if ends > 0 then again = ends end
  redis.call('ZADD', root .. 'due', again, id)
  redis.call('HSET', record(id), 'reason', why)
  return {'paused'}
end
if status == 'scheduled' and h[5] == '0' and now - tonumber(h[2]) > tonumber(ARGV[4]) then
  redis.call('HSET', record(id), 'reason', 'too late to send unasked')
  move(id, status, 'held', now)
  look(id, '')
  note(id, now, ARGV[6])
  return {'held'}
end
local fence = redis.call('HINCRBY', record(id), 'fence', 1)
redis.call('ZREM', root .. 'due', id)
redis.call('ZADD', root .. 'leases', now + tonumber(ARGV[3]), id)
if status == 'scheduled' then move(id, status, 'preparing', now) end
return {'ok', fence, redis.call('HGETALL', record(id)), redis.call('GET', root .. 'steps:' .. id)}
