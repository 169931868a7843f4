-- Put the head's text in the place of the one that was read, under the epoch of the driver.
local head, due, held = unpack(KEYS)
local id, epoch, seen, moving, wake = unpack(ARGV)
local now = standing(head)
if not now then
  return {'unknown'}
end
look_at(due, held)
if now.epoch ~= epoch then
  return {'moved', now.version}
end
if redis.call('HGET', head, 'moving') ~= seen then
  return {'done', 0}
end
redis.call('HSET', head, 'moving', moving, 'wake', wake)
reschedule(due, held, id, now, {wake = wake, queued = now.queued, lease = now.lease}, moving)
return {'done', 1}
