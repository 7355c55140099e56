-- A worker with nothing to do takes up what was woken and nobody has begun, then what is due next: now, then what
-- ``begin`` asks for. Answers the id and what ``begin`` says, or nothing.
local now = clock(ARGV[1])
for _, from in ipairs({'waking', 'due'}) do
  local last = from == 'due' and now or '+inf'
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', root .. from, '-inf', last, 'LIMIT', 0, 10)) do
    local begun = begin(id, now, tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5])
    if begun[1] == 'ok' then return {id, begun} end
    -- What may not begin is put off, and what is gone must not stand in the way of the rest.
    if from == 'due' and begun[1] ~= 'paused' then redis.call('ZREM', root .. 'due', id) end
  end
end
return {}
