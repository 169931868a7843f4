-- All that is kept of an agent.
local head, history, snapshot, origin, queue, keys, effects, thread, starts = unpack(KEYS)
local fields = redis.call('HGETALL', head)
if #fields == 0 then
  return {'unknown'}
end
local start = redis.call('HGET', head, 'start')
return {'done', fields, joined(redis.call('LRANGE', history, 0, -1)), redis.call('GET', snapshot), redis.call('GET', origin),
        redis.call('HGETALL', queue), redis.call('HGETALL', keys), redis.call('HGETALL', effects),
        start and redis.call('HGET', starts, start), joined(redis.call('LRANGE', thread, 1, -1))}
