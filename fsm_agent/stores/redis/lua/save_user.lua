-- Remember something of a user who is as he was seen; the first words of a namespace say which schema that has.
local schema, users, named = unpack(KEYS)
local version, user, seen, remembered = unpack(ARGV)
local known = version_of(users, user)
look_at(named)
if known ~= seen then
  return {'outdated', known}
end
redis.call('SETNX', schema, version)
redis.call('HSET', users, user, remembered)
redis.call('ZADD', named, 0, 'u' .. user)
return {'done'}
