-- Effects of an activation and later ones, as key, text, key, text.
local head, effects, activations = unpack(KEYS)
if redis.call('EXISTS', head) == 0 then
  return {'unknown'}
end
local found = {}
for _, key in ipairs(redis.call('ZRANGEBYSCORE', activations, ARGV[1], '+inf')) do
  found[#found + 1] = key
  found[#found + 1] = redis.call('HGET', effects, key)
end
return {'done', found}
