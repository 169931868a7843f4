-- Claim agents that are due and wanted, the longest due first. The heads are not among KEYS, since nobody knows
-- beforehand who is due: their keys begin with the first of KEYS. Nobody else is served meanwhile, so no call looks at
-- more than `MOST` agents. The answer says whether those were all that are due; where the next call goes on, which is
-- behind an agent that was left to others, as it stands in `due`; then id, epoch, id, epoch.
local heads, due, held = unpack(KEYS)
local lease, after, score, named = unpack(ARGV, 3, 6)
local now_ms, limit = tonumber(ARGV[1]), tonumber(ARGV[2])
local MOST = 500

-- After `named`, the number of workflows, empty for all, come their names, and then definition and state, as JSON, of
-- those that are left out.
local workflows, without, at = {}, {}, 7
for _ = 1, tonumber(named) or 0 do
  workflows[ARGV[at]] = true
  at = at + 1
end
local leaves_out = at < #ARGV
for place = at, #ARGV, 2 do
  without[ARGV[place] .. '\n' .. ARGV[place + 1]] = true
end

local function is_wanted(head)
  if named == '' and not leaves_out then
    return true
  end
  local pin = redis.call('HGET', head, 'pin') or ''
  if named ~= '' and not workflows[workflow_of(pin)] then
    return false
  end
  if not leaves_out then
    return true
  end
  local definition = string.match(pin, '\n%[[^,]*,(.*),%-?%d+%]$') or ''
  local state = string.match(redis.call('HGET', head, 'moving') or '', '^%[([^\n]*),%-?%d+%]') or ''
  return not without[definition .. '\n' .. state]
end

-- What an agent is, and will be under the lease; nil if it is not to be claimed, like what stands in for one in another
-- tier, whose version is below 0. Fails for a damaged one.
local function claimable(id)
  local head = heads .. id
  local now = is_wanted(head) and standing(head)
  local since = now and not string.match(now.version, '^%-') and due_at(now)
  if not since or tonumber(since) > now_ms or not string.match(now.epoch, '^%d+$') then
    return nil
  end
  return {id = id, head = head, was = now, is = held_under(lease, now, id)}
end

-- How many stand in `due` before this score.
local function before(limit)
  return redis.call('ZCOUNT', due, '-inf', limit)
end

-- Who is needed at once, and who is due by the time: two parts of `due`, each with the rank at which it goes on, that at
-- which it ends, and what makes a time of a score.
local first = before('(0')
local lanes = {{rank = 0, last = first - 1, era = ERA}, {rank = first, last = before(now_ms) - 1, era = 0}}

-- Go on in both behind one agent of one of them. It may have moved since.
local function go_on_behind(id, place)
  local own, other = unpack(tonumber(place) < 0 and lanes or {lanes[2], lanes[1]})
  local is_there = redis.call('ZSCORE', due, id) == place
  own.rank = is_there and redis.call('ZRANK', due, id) + 1 or before('(' .. place)
  local same_time = string.format('%.0f', place + own.era - other.era)
  other.rank = math.max(other.rank, before(own == lanes[1] and '(' .. same_time or same_time))
end

-- Since when the next agent of a lane is due; nil if there is none.
local function peek(lane, size)
  if lane.rank <= lane.last and not (lane.some and lane.some[lane.at]) then
    lane.some = redis.call('ZRANGE', due, lane.rank, math.min(lane.rank + size - 1, lane.last), 'WITHSCORES')
    lane.at, lane.rank = 1, lane.rank + size
  end
  local score = lane.some and lane.some[lane.at + 1]
  return score and score + lane.era
end

-- The next agent, and where it stands; nil if there is none.
local function next_due(size)
  local at_once, by_time = peek(lanes[1], size), peek(lanes[2], size)
  local lane = lanes[at_once and (not by_time or at_once <= by_time) and 1 or 2]
  if at_once or by_time then
    lane.at = lane.at + 2
    return lane.some[lane.at - 2], lane.some[lane.at - 1]
  end
end

look_at(due, held)
if after ~= '' then
  go_on_behind(after, score)
end
local found, looked, are_all = {}, 0, 0
while #found < limit and looked < MOST do
  local id, place = next_due(math.max(limit, 50))
  if not id then
    are_all = 1
    break
  end
  looked = looked + 1
  local is_whole, claim = pcall(claimable, id)
  if is_whole and claim then
    found[#found + 1] = claim
  else
    after, score = id, place
  end
end
local told = {}
for _, claim in ipairs(found) do
  local epoch = redis.call('HINCRBY', claim.head, 'epoch', 1)
  redis.call('HSET', claim.head, 'lease', lease)
  reschedule(due, held, claim.id, claim.was, claim.is)
  told[#told + 1] = claim.id
  told[#told + 1] = epoch
end
return {'done', are_all, after, score, told}
