-- How many steps an agent has, and the bytes of its texts: head, history, snapshot and origin, the rest, its thread.
local head, history, snapshot, origin, queue, keys, effects, thread = unpack(KEYS)
if redis.call('EXISTS', head) == 0 then
  return {'unknown'}
end
local function weigh(texts)
  local bytes = 0
  for _, text in ipairs(texts) do
    bytes = bytes + #text
  end
  return bytes
end
local function weigh_list(list, first)
  local length, bytes = redis.call('LLEN', list), 0
  for start = first, length - 1, 100 do
    bytes = bytes + weigh(redis.call('LRANGE', list, start, start + 99))
  end
  return bytes
end
local rest = 0
for _, other in ipairs({queue, keys, effects}) do
  rest = rest + weigh(redis.call('HGETALL', other))
end
local covered = redis.call('STRLEN', snapshot) + redis.call('STRLEN', origin)
return {'done', redis.call('LLEN', history), weigh(redis.call('HVALS', head)), weigh_list(history, 0), covered, rest,
        weigh_list(thread, 1)}
