-- Messages of a thread above a number, up to another: at most so many of them, the first or the newest. An empty bound is
-- none.
local thread = KEYS[1]
local after, upto, limit, newest = unpack(ARGV)
local first, past = bounds(thread, after, upto)
if limit ~= '' and newest == '1' then
  first = math.max(first, past - tonumber(limit))
elseif limit ~= '' then
  past = math.min(past, first + tonumber(limit))
end
return {'done', first < past and joined(redis.call('LRANGE', thread, first, past - 1)) or ''}
