-- Record the end of an effect that is open, under the epoch under which it was begun.
local head, effects = unpack(KEYS)
local key, epoch, ended = unpack(ARGV)
if redis.call('EXISTS', head) == 0 then
  return {'unknown'}
end
local kept = redis.call('HGET', effects, key)
if begun_under(kept) ~= epoch then
  return {'done', 0}
end
redis.call('HSET', effects, key, string.match(kept, '^%S+(\n[^\n]*)') .. '\n' .. ended)
return {'done', 1}
