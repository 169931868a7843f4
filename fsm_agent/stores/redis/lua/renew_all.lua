-- Prolong leases that are still held under their epochs, and tell the ids of those agents. KEYS end with the heads;
-- behind the lease stand, for each of them, id and epoch.
local due, held = unpack(KEYS, 1, 2)
local lease, told = ARGV[1], {'done'}

-- What an agent is, and will be; nil if it is not held any more. Fails for a damaged one.
local function renewable(head, id, epoch)
  local now = standing(head)
  if not now or now.epoch ~= epoch or not now.lease then
    return nil
  end
  return {was = now, is = held_under(lease, now, id)}
end

look_at(due, held)
for each = 3, #KEYS do
  local head, id, epoch = KEYS[each], ARGV[2 * each - 4], ARGV[2 * each - 3]
  local is_whole, renewal = pcall(renewable, head, id, epoch)
  if is_whole and renewal then
    redis.call('HSET', head, 'lease', lease)
    reschedule(due, held, id, renewal.was, renewal.is)
    told[#told + 1] = id
  end
end
return told
