-- What a workspace's calendar holds: workspace, most ids a day, statuses left out, accounts wanted ('' = all), then the
-- instants at which the days begin and the last one ends. Answers for each day how many, then ids and instants.
-- Beyond 500 a day nothing is left out of the count: they are more than anybody looks at one by one.
local key, most, out, wanted = root .. 'planned:' .. ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
local days = {}
for i = 5, #ARGV - 1 do
  local found = redis.call('ZRANGEBYSCORE', key, ARGV[i], '(' .. ARGV[i + 1], 'WITHSCORES', 'LIMIT', 0, 500)
  local day = {0}
  for n = 1, #found, 2 do
    local h = redis.call('HMGET', record(found[n]), 'status', 'account')
    if h[1] and not has(out, h[1]) and (wanted == '' or has(wanted, h[2])) then
      day[1] = day[1] + 1
      if day[1] <= most then
        day[#day + 1] = found[n]
        day[#day + 1] = found[n + 1]
      end
    end
  end
  if #found == 1000 then day[1] = day[1] + redis.call('ZCOUNT', key, ARGV[i], '(' .. ARGV[i + 1]) - 500 end
  days[#days + 1] = day
end
return days
