-- Forget messages of a thread above a number, up to another. The shorter of the two parts beside them is read and put
-- back; at an end of the thread that is nothing, or its last number.
local thread = KEYS[1]
local first, past, length = bounds(thread, ARGV[1], ARGV[2])
if first >= past then
  return {'done', 0}
end
if length - past <= first then
  local rest = redis.call('LRANGE', thread, past, -1)
  redis.call('LTRIM', thread, 0, first - 1)
  append(thread, rest, 1, #rest)
else
  local start = redis.call('LRANGE', thread, 0, first - 1)
  redis.call('LTRIM', thread, past, -1)
  for at = #start, 1, -1 do
    redis.call('LPUSH', thread, start[at])
  end
end
return {'done', past - first}
