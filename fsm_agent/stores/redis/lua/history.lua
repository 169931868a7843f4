-- Steps above a version; a negative limit is none.
local head, history = unpack(KEYS)
local after, limit = tonumber(ARGV[1]), tonumber(ARGV[2])
if redis.call('EXISTS', head) == 0 then
  return {'unknown'}
end
local first = math.max(after - tonumber(redis.call('HGET', head, 'forgotten') or '0'), 0)
if limit == 0 then
  return {'done', ''}
end
return {'done', joined(redis.call('LRANGE', history, first, limit < 0 and -1 or first + limit - 1))}
