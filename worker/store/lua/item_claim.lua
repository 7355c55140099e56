-- Who has this article first, now that more is known of it: id, '1' to be the first whatever was, then identity keys.
local mine = {}
for i = 3, #ARGV do mine[#mine + 1] = ARGV[i] end
return first(ARGV[1], mine, ARGV[2] == '1')
