-- Keep an event for the driver, under its key if it has one.
local head, due, held, queue, keys = unpack(KEYS)
local id, version, key, outcome, event = unpack(ARGV)
local now = standing(head)
if not now then
  return {'unknown'}
end
look_at(due, held)
redis.call('HLEN', queue)
local is_used = redis.call('HEXISTS', keys, key) == 1
if (version ~= '' and version ~= now.version) or (key ~= '' and is_used) then
  return {'moved', now.version}
end
redis.call('HINCRBY', head, 'numbered', 1)
redis.call('HINCRBY', head, 'queued', 1)
redis.call('HSET', queue, redis.call('HGET', head, 'numbered'), key .. '\n' .. event .. ',' .. now.version .. ']')
if key ~= '' then
  redis.call('HSET', keys, key, outcome)
end
local after = {wake = now.wake, lease = now.lease, queued = now.queued + 1}
reschedule(due, held, id, now, after, not now.lease and redis.call('HGET', head, 'moving'))
return {'done', after.queued}
