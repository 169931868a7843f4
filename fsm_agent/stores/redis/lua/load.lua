-- One view of an agent. Of steps that the snapshot covers, only those that appended since its lists' bases, cut after
-- what they appended: the rest of them may be big.
local head, history, snapshot, queue, keys = unpack(KEYS)
local key = ARGV[1]
local fields = redis.call('HGETALL', head)
if #fields == 0 then
  return {'unknown'}
end
local forgotten = tonumber(redis.call('HGET', head, 'forgotten') or '0')
local kept = redis.call('GET', snapshot)
local covered, since = forgotten, forgotten
if kept then
  covered, since = string.match(kept, '^(%d+) (%d+)\n')
  covered, since = math.max(tonumber(covered), forgotten), math.max(tonumber(since), forgotten)
end
local tail = {}
if since < covered then
  for _, row in ipairs(redis.call('LRANGE', history, since - forgotten, covered - forgotten - 1)) do
    tail[#tail + 1] = string.match(row, '^[^\n]*\n[^\n]+')
  end
end
for _, row in ipairs(redis.call('LRANGE', history, covered - forgotten, -1)) do
  tail[#tail + 1] = row
end
return {'done', fields, kept, joined(tail), redis.call('HGETALL', queue), key ~= '' and redis.call('HGET', keys, key)}
