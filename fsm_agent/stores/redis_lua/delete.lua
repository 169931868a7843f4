-- Forget an agent and all that is kept of it.
local head, due, held, index, starts = unpack(KEYS, 1, 5)
local id, version, epoch, lease = unpack(ARGV)
local now = standing(head)
if not now then
  return {'unknown'}
end
if not is_as_seen(now, version, epoch, lease) then
  return {'moved', now.version}
end
look_at(due, held, index)
redis.call('HLEN', starts)
local pin, start = unpack(redis.call('HMGET', head, 'pin', 'start'))
reschedule(due, held, id, now, nil)
relist(index, id, now.status, pin, nil, nil)
if start then
  redis.call('HDEL', starts, start)
end
redis.call('DEL', head, unpack(KEYS, 6))
return {'done'}
