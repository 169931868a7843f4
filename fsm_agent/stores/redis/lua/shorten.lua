-- Forget the steps up to the origin's, which is kept in their place and whose values are the snapshot.
local head, history, snapshot, origin = unpack(KEYS)
local version, epoch, lease, last, beginning, data = unpack(ARGV)
local now = standing(head)
if not now then
  return {'unknown'}
end
if not is_as_seen(now, version, epoch, lease) then
  return {'moved', now.version}
end
local forgotten = math.min(math.max(tonumber(last) - now.forgotten, 0), redis.call('LLEN', history))
redis.call('HINCRBY', head, 'epoch', 1)
redis.call('HSET', head, 'forgotten', last)
redis.call('SET', origin, beginning)
redis.call('SET', snapshot, data)
redis.call('LTRIM', history, forgotten, -1)
return {'done', forgotten}
