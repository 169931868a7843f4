-- Take the lease, if everything is as it was seen, and raise the epoch.
local head, due, held = unpack(KEYS)
local id, version, epoch, seen, lease = unpack(ARGV)
local now = standing(head)
if not now then
  return {'unknown'}
end
look_at(due, held)
if not is_as_seen(now, version, epoch, seen) then
  return {'moved', now.version}
end
redis.call('HINCRBY', head, 'epoch', 1)
redis.call('HSET', head, 'lease', lease)
reschedule(due, held, id, now, {wake = now.wake, queued = now.queued, lease = lease})
return {'done', redis.call('HGET', head, 'epoch')}
