-- Bytes of the texts of an agent: head, history, snapshot and origin, the rest; and how many steps those are.
local head, history, snapshot, origin = unpack(KEYS, 1, 4)
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
local steps, recorded, rest = redis.call('LLEN', history), 0, 0
for first = 0, steps - 1, 100 do
  recorded = recorded + weigh(redis.call('LRANGE', history, first, first + 99))
end
for other = 5, #KEYS do
  rest = rest + weigh(redis.call('HGETALL', KEYS[other]))
end
local covered = redis.call('STRLEN', snapshot) + redis.call('STRLEN', origin)
return {'done', steps, weigh(redis.call('HVALS', head)), recorded, covered, rest}
