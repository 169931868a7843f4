-- Forget an agent and all that is kept of it.
local due, held, index, starts, head = unpack(KEYS, 1, 5)
local id, version, epoch, lease, queued = unpack(ARGV)
local now = standing(head)
if not now then
  return {'unknown'}
end
if not is_as_seen(now, version, epoch, lease) or now.queued ~= tonumber(queued) then
  return {'moved', now.version}
end
look_at(due, held, index)
redis.call('HLEN', starts)
forget({unpack(KEYS, 5)}, due, held, index, starts, id, now)
return {'done'}
