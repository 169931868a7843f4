-- Put messages in the place of those with the same numbers. The arguments are number, message, number, message.
local thread = KEYS[1]
local length, revised = redis.call('LLEN', thread), 0
for at = 1, #ARGV, 2 do
  local number = tonumber(ARGV[at])
  local index = place(thread, length, number)
  if index < length and number_at(thread, index) == number then
    redis.call('LSET', thread, index, ARGV[at] .. '\n' .. ARGV[at + 1])
    revised = revised + 1
  end
end
return {'done', revised}
