-- A wake-up is taken up: id, now, then what ``begin`` asks for.
return begin(ARGV[1], clock(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6])
