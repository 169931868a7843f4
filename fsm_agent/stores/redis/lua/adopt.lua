-- Keep an agent as another store kept it, in the place of the one that was seen, if one was. After the first arguments
-- come, each after how many texts it is: the head's fields, the steps, the queue, the keys, the effects, activations
-- with the keys of their effects, and the thread.
local head, history, snapshot, origin, queue, keys, effects, thread, activations = unpack(KEYS, 1, 9)
local due, held, index, starts, workflows = unpack(KEYS, 10)
local id, definition, key, start, data, beginning, version, epoch, lease, queued = unpack(ARGV, 1, 10)
local replaced = version ~= '' and standing(head)
if replaced then
  if not is_as_seen(replaced, version, epoch, lease) or replaced.queued ~= tonumber(queued) then
    return {'moved', replaced.version}
  end
elseif version ~= '' then
  return {'unknown'}
elseif redis.call('EXISTS', head) == 1 then
  return {'exists'}
end
local used_for = key ~= '' and redis.call('HGET', starts, key)
if used_for and not (replaced and redis.call('HGET', head, 'start') == key) then
  return {'exists'}
end
if redis.call('HEXISTS', workflows, definition) == 0 then
  return {'undefined'}
end
if not replaced and redis.call('EXISTS', unpack(KEYS, 2, 9)) > 0 then
  return {'torn'}
end
look_at(due, held, index)
redis.call('HLEN', starts)
local parts, at = {}, 11
while at <= #ARGV do
  local length = tonumber(ARGV[at])
  parts[#parts + 1] = {at + 1, at + length}
  at = at + length + 1
end
if replaced then
  forget({unpack(KEYS, 1, 9)}, due, held, index, starts, id, replaced)
end
local function fill(verb, name, part)
  for first = part[1], part[2], 2 do
    redis.call(verb, name, ARGV[first], ARGV[first + 1])
  end
end
fill('HSET', head, parts[1])
append(history, ARGV, parts[2][1], parts[2][2])
fill('HSET', queue, parts[3])
fill('HSET', keys, parts[4])
fill('HSET', effects, parts[5])
fill('ZADD', activations, parts[6])
append(thread, ARGV, parts[7][1], parts[7][2])
if data ~= '' then
  redis.call('SET', snapshot, data)
end
if beginning ~= '' then
  redis.call('SET', origin, beginning)
end
if key ~= '' then
  redis.call('HSET', starts, key, start)
end
local now = standing(head)
local pin, tags, moving = unpack(redis.call('HMGET', head, 'pin', 'tags', 'moving'))
reschedule(due, held, id, nil, now, moving)
relist(index, id, nil, nil, now.status, pin)
list_question('ZADD', index, id, pin, now.asks)
list_life('ZADD', index, id, pin, tags or '')
return {'done'}
