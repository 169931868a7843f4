-- Bring an agent into being: head, history and the key of its creation.
local head, history, due, held, index, starts, workflows = unpack(KEYS)
local id, version, status, wake, lease, moving, pin, definition, key, start, asks, tags = unpack(ARGV, 1, 12)
if redis.call('EXISTS', head) == 1 or (key ~= '' and redis.call('HEXISTS', starts, key) == 1) then
  return {'exists'}
end
if redis.call('HEXISTS', workflows, definition) == 0 then
  return {'undefined'}
end
look_at(due, held, index)
if redis.call('EXISTS', history) == 1 then
  return {'torn'}
end
local made = {version = version, epoch = '1', status = status, wake = wake, queued = 0}
redis.call('HSET', head, 'pin', pin, 'moving', moving, 'version', version, 'epoch', '1', 'status', status, 'wake', wake)
if lease ~= '' then
  made.lease = lease
  redis.call('HSET', head, 'lease', lease)
end
if key ~= '' then
  redis.call('HSET', head, 'start', key)
  redis.call('HSET', starts, key, start)
end
if asks ~= '' then
  redis.call('HSET', head, 'asks', asks)
end
if tags ~= '' then
  redis.call('HSET', head, 'tags', tags)
end
append(history, ARGV, 13, #ARGV)
reschedule(due, held, id, nil, made, moving)
relist(index, id, nil, nil, status, pin)
list_question('ZADD', index, id, pin, asks)
list_life('ZADD', index, id, pin, tags)
return {'done'}
