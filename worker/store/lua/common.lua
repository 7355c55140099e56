-- What every script shares. KEYS[1] is the start of the shard's keys; all scripts run on Redis' own clock.
local root = KEYS[1]

local function clock(given)
  if given and given ~= '' then return tonumber(given) end
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
end

-- What was counted, for Prometheus: a counter's name and its labels, with bars between.
local function count(what, by) redis.call('HINCRBY', root .. 'counts', what, by) end

local function record(id) return root .. 'delivery:' .. id end

local function note(id, now, line)
  if line == '' then return end
  local key = root .. 'history:' .. id
  redis.call('RPUSH', key, now .. ' ' .. line)
  redis.call('LTRIM', key, -200, -1)
end

-- The workspace stands at the start of every id.
local function workspace(id) return string.match(id, '^[^.]*') end

local function shelf(id, status) return root .. 'status:' .. workspace(id) .. ':' .. status end

local function has(list, value)
  return string.find(',' .. list .. ',', ',' .. value .. ',', 1, true) ~= nil
end

-- Where a delivery stands in the calendars of its workspace and its account. What will never be sent, or was taken away
-- (lifecycle.GONE), stands in neither, so that nobody reads it to leave it out.
local gone = 'cancelled,skipped,deleted'

local function plan(id, due)
  local h = redis.call('HMGET', record(id), 'status', 'account')
  local stands = h[1] and not has(gone, h[1])
  for _, whose in ipairs({workspace(id), h[2] or ''}) do
    if stands then redis.call('ZADD', root .. 'planned:' .. whose, due, id)
    else redis.call('ZREM', root .. 'planned:' .. whose, id) end
  end
  if h[1] and not stands then redis.call('ZADD', root .. 'gone:' .. workspace(id), due, id) end
end

local function move(id, from, to, now)
  redis.call('ZREM', shelf(id, from), id)
  redis.call('ZADD', shelf(id, to), now, id)
  redis.call('HSET', record(id), 'status', to, 'updated', now)
  if has(gone, to) then plan(id, redis.call('HGET', record(id), 'due')) end
end

-- Whether what was not sent may be called public: only where a step of it is, and the one to follow was given up.
local function may_stay(id, to)
  return not has('published,edited', to) or (tonumber(redis.call('HGET', record(id), 'step')) or 0) > 0
end

-- When to look at a delivery next; '' takes it out of every queue.
local function look(id, at)
  redis.call('ZREM', root .. 'waking', id)
  redis.call('ZREM', root .. 'leases', id)
  if at == '' then
    redis.call('ZREM', root .. 'due', id)
  else
    redis.call('ZADD', root .. 'due', at, id)
  end
end

-- Who stops this delivery from being sent: nil, or the instant it ends ('0' = until resumed) and why.
local function stopped(account, workspace, now)
  local found = redis.call('HMGET', root .. 'paused', 'all', 'workspace:' .. workspace, 'account:' .. account,
    'limit:' .. account, 'connect:' .. account)
  for i = 1, 5 do
    if found[i] then
      local ends, why = string.match(found[i], '^(%d+)|(.*)$')
      if ends == '0' or tonumber(ends) > now then return tonumber(ends), why end
    end
  end
  return nil
end

-- Give a worker the right to work on a delivery whose time has come: lease ms, ms after which a post is too late,
-- ms to wait while paused, line if held. Answers the fence, the record, the steps and the time, or one word that says
-- why not.
local function begin(id, now, lease, stale, later, line)
  local woken = redis.call('ZREM', root .. 'waking', id)
  local h = redis.call('HMGET', record(id), 'status', 'due', 'account', 'workspace', 'step')
  local status = h[1]
  if not status then return {'gone'} end
  if not has('scheduled,unconfirmed,awaiting person', status) then return {status} end
  if redis.call('ZSCORE', root .. 'leases', id) then return {'leased'} end
  local planned = redis.call('ZSCORE', root .. 'due', id)
  -- Whoever waits for a person is looked at again only if a look was planned.
  if status == 'awaiting person' and not planned and woken == 0 then return {status} end
  if planned and tonumber(planned) > now then return {'early'} end
  local ends, why = stopped(h[3], h[4], now)
  if ends then
    local again = now + later
    if ends > 0 then again = ends end
    redis.call('ZADD', root .. 'due', again, id)
    redis.call('HSET', record(id), 'reason', why)
    return {'paused'}
  end
  if status == 'scheduled' and h[5] == '0' and now - tonumber(h[2]) > stale then
    redis.call('HSET', record(id), 'reason', 'too late to send unasked')
    move(id, status, 'held', now)
    look(id, '')
    note(id, now, line)
    return {'held'}
  end
  local fence = redis.call('HINCRBY', record(id), 'fence', 1)
  redis.call('ZREM', root .. 'due', id)
  redis.call('ZADD', root .. 'leases', now + lease, id)
  if status ~= 'unconfirmed' then move(id, status, 'preparing', now) end
  return {'ok', fence, redis.call('HGETALL', record(id)), redis.call('GET', root .. 'steps:' .. id), now}
end
