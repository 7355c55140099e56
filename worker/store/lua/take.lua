-- A worker with nothing to do takes up what is due next: now, then what ``begin`` asks for. Answers the id and what
-- ``begin`` says, or nothing.
local now = clock(ARGV[1])
for _, id in ipairs(redis.call('ZRANGEBYSCORE', root .. 'due', '-inf', now, 'LIMIT', 0, 10)) do
  local begun = begin(id, now, tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5])
  if begun[1] == 'ok' then return {id, begun} end
  -- What may not begin is put off, and what is gone must not stand in the way of the rest.
  if begun[1] ~= 'paused' then redis.call('ZREM', root .. 'due', id) end
end
return {}
