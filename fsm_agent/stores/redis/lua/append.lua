-- Add messages to a thread that no agent owns; the first words of a namespace say which schema that has.
local schema, named, thread = unpack(KEYS)
local version, name = unpack(ARGV, 1, 2)
look_at(named)
redis.call('LLEN', thread)
redis.call('SETNX', schema, version)
redis.call('ZADD', named, 0, name)
return {'done', say(thread, 3, #ARGV)}
