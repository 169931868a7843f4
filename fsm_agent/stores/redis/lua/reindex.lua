-- Make an agent found by what its head says, if that is still what was read; answers 0 if it is not. Of a head that
-- cannot be read no version is given: its age and its status find it. What stands in the index besides is taken out.
-- A head that is called as it was before schema 3 is renamed first.
local head, due, held, index, former = unpack(KEYS)
local id, version, asks, tags = unpack(ARGV, 1, 4)
if former and redis.call('EXISTS', former) == 1 and redis.call('EXISTS', head) == 0 then
  redis.call('RENAME', former, head)
end
local now = standing(head)
if now and version ~= '' and version ~= now.version then
  return {'done', 0}
end
for at = 5, #ARGV do
  redis.call('ZREM', index, ARGV[at])
end
if redis.call('EXISTS', head) == 0 then
  redis.call('ZREM', due, id)
  return {'done', 1}
end
local pin, status, moving = unpack(redis.call('HMGET', head, 'pin', 'status', 'moving'))
if pin and status then
  relist(index, id, nil, nil, status, pin)
end
if version ~= '' then
  redis.call('HDEL', head, 'asks', 'tags')
  if asks ~= '' then
    redis.call('HSET', head, 'asks', asks)
  end
  if tags ~= '' then
    redis.call('HSET', head, 'tags', tags)
  end
  list_question('ZADD', index, id, pin, asks)
  reschedule(due, held, id, nil, now, moving)
end
list_life('ZADD', index, id, pin, tags)
return {'done', 1}
