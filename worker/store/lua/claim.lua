-- What to wake now: now, most waiting in this shard, ms until a wake-up counts as lost, ms to let a platform settle,
-- most to claim, tries before a post fails, tries before an unknown end is parked, then the lines for a lease lost
-- before the commit, for one lost during it, for the last one lost before it, and for the last one lost in doubt.
-- First mends what lost workers left: leases that ran out, wake-ups that nobody started.
-- Answers the ids, and the ms until the next look ('' if there is none).
local now = clock(ARGV[1])
for _, id in ipairs(redis.call('ZRANGEBYSCORE', root .. 'leases', '-inf', now, 'LIMIT', 0, 100)) do
  local status = redis.call('HGET', record(id), 'status')
  if status then count('lost|' .. status, 1) end
  if status == 'preparing' then
    local tries = redis.call('HINCRBY', record(id), 'attempts', 1)
    redis.call('HSET', record(id), 'reason', 'the worker was lost before it sent anything')
    -- Of what is partly public the engine says what becomes of the rest, when it takes it up.
    if tries < tonumber(ARGV[6]) or (tonumber(redis.call('HGET', record(id), 'step')) or 0) > 0 then
      move(id, status, 'scheduled', now)
      look(id, now)
      note(id, now, ARGV[8])
    else
      -- The fence moves on, so that the lost one cannot take the post up again.
      redis.call('HINCRBY', record(id), 'fence', 1)
      move(id, status, 'failed', now)
      look(id, '')
      note(id, now, ARGV[10])
    end
  elseif status == 'publishing' then
    redis.call('HINCRBY', record(id), 'attempts', 1)
    redis.call('HSET', record(id), 'uncertain', 1, 'reason', 'the worker was lost while sending')
    move(id, status, 'unconfirmed', now)
    look(id, now + tonumber(ARGV[4]))
    note(id, now, ARGV[9])
  elseif status == 'unconfirmed' then
    if redis.call('HINCRBY', record(id), 'attempts', 1) < tonumber(ARGV[7]) then
      look(id, now + tonumber(ARGV[4]))
    else
      redis.call('HSET', record(id), 'reason', 'the worker was lost whenever it looked whether it is there')
      redis.call('HINCRBY', record(id), 'fence', 1)
      move(id, status, 'parked', now)
      look(id, '')
      note(id, now, ARGV[11])
    end
  else
    redis.call('ZREM', root .. 'leases', id)
  end
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', root .. 'waking', '-inf', now, 'LIMIT', 0, 100)) do
  redis.call('ZREM', root .. 'waking', id)
  redis.call('ZADD', root .. 'due', now, id)
end
local room = math.min(tonumber(ARGV[2]) - redis.call('ZCARD', root .. 'waking'), tonumber(ARGV[5]))
local ids = {}
if room > 0 then ids = redis.call('ZRANGEBYSCORE', root .. 'due', '-inf', now, 'LIMIT', 0, room) end
for _, id in ipairs(ids) do
  redis.call('ZREM', root .. 'due', id)
  redis.call('ZADD', root .. 'waking', now + tonumber(ARGV[3]), id)
end
local following = redis.call('ZRANGE', root .. 'due', 0, 0, 'WITHSCORES')[2]
return {ids, following and following - now or ''}
