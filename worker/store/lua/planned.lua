-- What a workspace's calendar holds: workspace, most ids a day, statuses left out, accounts wanted ('' = all), then the
-- instants at which the days begin and the last one ends. Answers for each day how many, then ids and instants.
-- Of all accounts only as many are read as are shown, of some at most 500 a day; the rest is counted unread.
local key, most, out, wanted = root .. 'planned:' .. ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
local step = wanted == '' and most + 8 or 500
local days = {}
for i = 5, #ARGV - 1 do
  local day, read, found = {0}, 0, {}
  repeat
    found = redis.call('ZRANGEBYSCORE', key, ARGV[i], '(' .. ARGV[i + 1], 'WITHSCORES', 'LIMIT', read, step)
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
    read = read + #found / 2
  until #found < 2 * step or read >= 500 or (wanted == '' and day[1] >= most)
  if #found == 2 * step then day[1] = day[1] + redis.call('ZCOUNT', key, ARGV[i], '(' .. ARGV[i + 1]) - read end
  days[#days + 1] = day
end
return days
