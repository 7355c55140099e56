-- A worker says how it went: id, fence, now, allowed origins, new status, ms until the next look ('' = never),
-- steps ('' = unchanged), line, attempts to add, then field, value, …
local id, now = ARGV[1], clock(ARGV[3])
local h = redis.call('HMGET', record(id), 'status', 'fence', 'platform', 'due')
if h[2] ~= ARGV[2] or not has(ARGV[4], h[1]) then return 'lost' end
if has('published,edited', ARGV[5]) and (h[1] == 'scheduled' or h[1] == 'preparing' and not may_stay(id, ARGV[5])) then
  return 'lost'
end
if ARGV[7] ~= '' then redis.call('SET', root .. 'steps:' .. id, ARGV[7]) end
for i = 10, #ARGV, 2 do redis.call('HSET', record(id), ARGV[i], ARGV[i + 1]) end
if ARGV[9] ~= '0' then redis.call('HINCRBY', record(id), 'attempts', ARGV[9]) end
count('attempts|' .. (h[3] or '') .. '|' .. ARGV[5], 1)
if ARGV[5] == 'published' and redis.call('HSETNX', record(id), 'out', now) == 1 then
  local late, bound = math.max(0, now - tonumber(h[4])), 'inf'
  for _, seconds in ipairs({3600, 900, 300, 60, 15, 5, 1}) do
    if late <= seconds * 1000 then bound = seconds end
  end
  count('late|' .. bound, 1)
  count('late|sum', late)
end
move(id, h[1], ARGV[5], now)
if ARGV[6] == '' then look(id, '') else look(id, now + tonumber(ARGV[6])) end
note(id, now, ARGV[8])
return 'ok'
