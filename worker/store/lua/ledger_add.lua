-- Add an entry to a ledger: hash of the one before as it was read, what makes it the only one of its kind, the entry.
-- Answers 'ok', 'there' if it was added before, or 'behind' if another was added meanwhile.
local list, done = root .. 'after:ledger', root .. 'after:ledger:done'
if redis.call('SISMEMBER', done, ARGV[2]) == 1 then return 'there' end
local last = redis.call('LINDEX', list, -1)
local hash = last and string.match(last, '"hash":"(%x+)"') or ''
if hash ~= ARGV[1] then return 'behind' end
redis.call('SADD', done, ARGV[2])
redis.call('RPUSH', list, ARGV[3])
return 'ok'
