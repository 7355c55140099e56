-- What stands in calendars: their names behind the shard's, most ids a day of each, then the instants at which the days
-- begin and the last one ends. Answers for each day how many, then ids and instants.
local most = tonumber(ARGV[2])
local days = {}
for i = 3, #ARGV - 1 do
  local day, from, to = {0}, ARGV[i], '(' .. ARGV[i + 1]
  for name in string.gmatch(ARGV[1], '[^,]+') do
    local found = most > 0 and redis.call('ZRANGEBYSCORE', root .. name, from, to, 'WITHSCORES', 'LIMIT', 0, most) or {}
    for n = 1, #found do day[#day + 1] = found[n] end
    local read = #found / 2
    day[1] = day[1] + (read < most and read or redis.call('ZCOUNT', root .. name, from, to))
  end
  days[#days + 1] = day
end
return days
