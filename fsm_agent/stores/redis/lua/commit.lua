-- Append one step, and all that comes with it. The keys after the fifth, and the arguments after the tenth, are there
-- only if one of them says something. At the end stand the threads; their arguments are, for each: how it is named among
-- those that agents share, empty for an agent's own; how many messages; the messages.
local head, history, due, held, index, snapshot, queue, keys, effects, activations, workflows, users, named =
  unpack(KEYS, 1, 13)
local id, stands_on, epoch, version, status, wake, lease, moving, row, asks = unpack(ARGV, 1, 10)
local key, outcome, number, data, settled, ended, pin, definition = unpack(ARGV, 11, 18)
local user, seen, remembered = unpack(ARGV, 19, 21)

-- From outside: ~ and, if one is given, the epoch that must be the stored one. Else that epoch alone.
local raises, fence = string.match(epoch, '^(~?)(%d*)$')

local now = standing(head)
if not now then
  return {'unknown'}
end
local moved = {'moved', now.version}
if now.version ~= stands_on or (fence ~= '' and fence ~= now.epoch) then
  return moved
end
if redis.call('LLEN', history) + now.forgotten ~= tonumber(stands_on) then
  return {'torn'}
end
-- A plain step of who goes on under the same lease, and neither asks nor answers, changes no index.
local is_plain = not key and status == now.status and wake == now.wake and lease == (now.lease or '') and asks == now.asks
  and stays_due(now)
if not is_plain then
  look_at(due, held, index)
end
local decided, used_for, effect = nil, nil, nil
if key then
  if key ~= '' and redis.call('HEXISTS', keys, key) == 1 then
    return moved
  end
  if number ~= '' then
    decided = redis.call('HGET', queue, number)
    if not decided then
      return moved
    end
    decided = string.match(decided, '^[^\n]*')
    used_for = string.match(redis.call('HGET', keys, decided) or '', ' .*$') or ' '
  end
  if settled ~= '' then
    effect = redis.call('HGET', effects, settled)
    look_at(activations)
    if not begun_under(effect) then
      return moved
    end
  end
  if pin ~= '' and redis.call('HEXISTS', workflows, definition) == 0 then
    return {'undefined'}
  end
  look_at(named)
  for each = 14, #KEYS do
    redis.call('LLEN', KEYS[each])
  end
  if remembered ~= '' and version_of(users, user) ~= seen then
    return {'outdated', version_of(users, user)}
  end
end

local after = {version = version, epoch = now.epoch, status = status, wake = wake, queued = now.queued}
if raises == '~' then
  redis.call('HINCRBY', head, 'epoch', 1)
  after.epoch = redis.call('HGET', head, 'epoch')
end
if lease ~= '' then
  after.lease = lease
end
redis.call('HSET', head, 'version', version, 'moving', moving)
redis.call('RPUSH', history, row)
if is_plain then
  return 'done ' .. after.epoch .. ' ' .. after.queued
end
redis.call('HSET', head, 'status', status, 'wake', wake)
if after.lease then
  redis.call('HSET', head, 'lease', lease)
elseif now.lease then
  redis.call('HDEL', head, 'lease')
end
if key then
  if key ~= '' then
    redis.call('HSET', keys, key, outcome)
  end
  if decided then
    after.queued = now.queued - 1
    redis.call('HDEL', queue, number)
    redis.call('HINCRBY', head, 'queued', -1)
    if decided ~= '' then
      redis.call('HSET', keys, decided, version .. used_for)
    end
  end
  if data ~= '' then
    redis.call('SET', snapshot, data)
  end
  if effect and ended ~= '' then
    redis.call('HSET', effects, settled, string.match(effect, '^%S+(\n[^\n]*)') .. '\n' .. ended)
  elseif effect then
    redis.call('HDEL', effects, settled)
    redis.call('ZREM', activations, settled)
  end
  if remembered ~= '' then
    redis.call('HSET', users, user, remembered)
    redis.call('ZADD', named, 0, 'u' .. user)
  end
  local at = 22
  for each = 14, #KEYS do
    local last = at + 1 + tonumber(ARGV[at + 1])
    say(KEYS[each], at + 2, last)
    if ARGV[at] ~= '' then
      redis.call('ZADD', named, 0, ARGV[at])
    end
    at = last + 1
  end
end
reschedule(due, held, id, now, after, moving)
local repins = key and pin ~= ''
if status ~= now.status or asks ~= now.asks or repins then
  local before = redis.call('HGET', head, 'pin')
  local after_it = repins and pin or before
  relist(index, id, now.status, before, status, after_it)
  if asks ~= now.asks or repins then
    list_question('ZREM', index, id, before, now.asks)
    list_question('ZADD', index, id, after_it, asks)
  end
end
if asks == '' and now.asks ~= '' then
  redis.call('HDEL', head, 'asks')
elseif asks ~= now.asks then
  redis.call('HSET', head, 'asks', asks)
end
if repins then
  redis.call('HSET', head, 'pin', pin)
end
return 'done ' .. after.epoch .. ' ' .. after.queued
