-- Keep a definition, unless one is kept under its hash; the first of a namespace says which schema that has.
local schema, workflows = KEYS[1], KEYS[2]
local version, hash, definition = ARGV[1], ARGV[2], ARGV[3]
if redis.call('HEXISTS', workflows, hash) == 0 then
  redis.call('SETNX', schema, version)
  redis.call('HSET', workflows, hash, definition)
end
return {'done'}
