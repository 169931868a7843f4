-- Keep an open effect under its key, and tell what was kept there.
local head, effects, activations = unpack(KEYS)
local key, epoch, activation, effect, again = unpack(ARGV)
local now = standing(head)
if not now then
  return {'unknown'}
end
if now.epoch ~= epoch then
  return {'moved', now.version}
end
look_at(activations)
local kept = redis.call('HGET', effects, key)
if not kept or (again == '1' and begun_under(kept)) then
  redis.call('HSET', effects, key, effect)
  redis.call('ZADD', activations, activation, key)
end
return {'done', kept}
