-- Prolong a lease, or, with an empty one, give it up; nothing happens if it was given up or the epoch has gone on.
local head, due, held = unpack(KEYS)
local id, epoch, lease = unpack(ARGV)
local now = standing(head)
if not now then
  return {'unknown'}
end
look_at(due, held)
if now.epoch ~= epoch or not now.lease then
  return {'done', 0}
end
local after = {wake = now.wake, queued = now.queued}
if lease ~= '' then
  after.lease = lease
  redis.call('HSET', head, 'lease', lease)
else
  redis.call('HDEL', head, 'lease')
end
reschedule(due, held, id, now, after, lease == '' and redis.call('HGET', head, 'moving'))
return {'done', 1}
