-- What the scripts share; it stands before each of them.
--
-- Scripts are atomic, but nothing is rolled back: each looks at everything before it writes anything. Its first write
-- is one that a full server refuses, so that such a server refuses the whole. Numbers of 64 bits (versions, epochs,
-- times) stay text, since Lua's own have 53. An answer is a list: a word, and what belongs to it.

-- What compare-and-sets compare, and what indexes are made of; nil if there is no such agent.
local function standing(head)
  local read = redis.call('HMGET', head, 'version', 'epoch', 'status', 'wake', 'queued', 'lease', 'forgotten', 'asks')
  if not read[1] then
    return nil
  end
  return {version = read[1], epoch = read[2], status = read[3], wake = read[4],
          queued = tonumber(read[5] or '0'), lease = read[6] or nil, forgotten = tonumber(read[7] or '0'),
          asks = read[8] or ''}
end

-- The head as somebody saw it: the lease as text, empty for none.
local function is_as_seen(now, version, epoch, lease)
  return now.version == version and now.epoch == epoch and (now.lease or '') == lease
end

-- Longer than from the beginning of all times until now, in milliseconds.
local ERA = 1e14

-- From when on somebody is needed if nobody holds the agent: `-` is never, 0 at once. What `wake` says of that are two
-- times, the agent's own and that of the agent while events are queued.
local function wake_of(now)
  local own, called = string.match(now.wake, '^(%S+) (%S+)$')
  return now.queued > 0 and called or own
end

-- Where an agent stands in `due`, in which who is due longest is first: since when, or from when on, somebody is needed
-- and nobody holds it; nil is never. Who is needed at once is so whatever a reader's clock says, and stands below 0, by
-- the last step, whose time is in `moving`; without that, at 0. Compared as doubles, kept as they came.
local function due_at(now, moving)
  local wake = wake_of(now)
  if wake == '-' then
    return nil
  end
  local held_until = now.lease and string.match(now.lease, '^%S+')
  if held_until and tonumber(held_until) > tonumber(wake) then
    return held_until
  end
  local stepped_ms = wake == '0' and string.match(moving or '', '^[^\n]*,(%-?%d+)%]')
  return stepped_ms and string.format('%.0f', stepped_ms - ERA) or wake
end

-- Fails where one of these is anything but what ZADD makes, while nothing is written yet.
local function look_at(...)
  for _, key in ipairs({...}) do
    redis.call('ZCARD', key)
  end
end

-- The host of the holder and the id: how `held` names who is held.
local function holding(now, id)
  return now.lease and string.match(now.lease, '^%S+ %S+ %S+ (.*)$') .. '\0' .. id
end

local function place(key, was, is, score)
  if was == is then
    return
  end
  if is then
    redis.call('ZADD', key, score, is)
  end
  if was then
    redis.call('ZREM', key, was)
  end
end

-- Whether a step that changes neither `wake` nor the lease leaves an agent where it stands in `due`.
local function stays_due(now)
  return now.lease ~= nil or wake_of(now) ~= '0'
end

-- Bring `due` and `held` from what they say of an agent to what they should; nil is an agent that is not there.
-- `moving` is as it is now.
local function reschedule(due, held, id, was, is, moving)
  local before, after = was and due_at(was), is and due_at(is, moving)
  if after and after ~= before then
    redis.call('ZADD', due, after, id)
  elseif before and not after then
    redis.call('ZREM', due, id)
  end
  place(held, was and holding(was, id), is and holding(is, id), 0)
end

-- What an agent will be under a new lease. Fails for one that is damaged; so it is asked before anything is written.
local function held_under(lease, now, id)
  local is = {wake = now.wake, queued = now.queued, lease = lease}
  for _, each in ipairs({now, is}) do
    due_at(each)
    holding(each, id)
  end
  return is
end

local function workflow_of(pin)
  return string.match(pin, '^(.*)\n[^\n]*$')
end

-- Bring `index` from one status and pin to another: by status, and by workflow and status. Members sort by id.
local function relist(index, id, status, pin, new_status, new_pin)
  place(index, status and 's' .. status .. '\0' .. id, new_status and 's' .. new_status .. '\0' .. id, 0)
  place(index, status and 'w' .. workflow_of(pin) .. '\0' .. status .. '\0' .. id,
        new_status and 'w' .. workflow_of(new_pin) .. '\0' .. new_status .. '\0' .. id, 0)
end

-- When an agent was made, by its pin; in a text whose order is that of the times.
local function made_at(pin)
  return string.format('%013x', tonumber(string.match(pin or '', ',(%-?%d+)%]$') or '0') + ERA)
end

-- Add to `index`, or take out of it (ZADD, ZREM), what an agent stands under after its place.
local function list(verb, index, under, place)
  if verb == 'ZADD' then
    redis.call('ZADD', index, 0, under .. place)
  else
    redis.call('ZREM', index, under .. place)
  end
end

-- What finds an agent's question: its workflow, and whom it asks. `asks` is the deadline and who that is, line by line.
local function list_question(verb, index, id, pin, asks)
  if asks ~= '' then
    local due, people = string.match(asks, '^([^\n]*)\n(.*)$')
    local place = '\0' .. due .. made_at(pin) .. '\0' .. id
    list(verb, index, 'q' .. workflow_of(pin), place)
    for who in string.gmatch(people .. '\n', '([^\n]*)\n') do
      list(verb, index, 't' .. who, place)
    end
  end
end

-- What finds an agent as long as it lives: its age, its user and its labels, which are the lines of `tags`.
local function list_life(verb, index, id, pin, tags)
  local place = made_at(pin) .. '\0' .. id
  list(verb, index, 'n', place)
  for tag in string.gmatch(tags, '([^\n]+)') do
    list(verb, index, tag .. '\0', place)
  end
end

-- Forget an agent: `own` are its keys, the head first.
local function forget(own, due, held, index, starts, id, now)
  local pin, start, tags = unpack(redis.call('HMGET', own[1], 'pin', 'start', 'tags'))
  reschedule(due, held, id, now, nil)
  relist(index, id, now.status, pin, nil, nil)
  list_question('ZREM', index, id, pin, now.asks)
  list_life('ZREM', index, id, pin, tags or '')
  if start then
    redis.call('HDEL', starts, start)
  end
  redis.call('UNLINK', unpack(own))
end

-- Of an open effect the epoch under which it was begun; nil for one that is recorded, and for none.
local function begun_under(effect)
  return effect and string.match(effect, '^(%S+)\n')
end

-- Steps as one text, which a client reads faster than many: JSON has no NUL in it.
local function joined(steps)
  return table.concat(steps, '\0')
end

-- Some of `texts` from `first` to `last`, at the end of a list.
local function append(list, texts, first, last)
  for start = first, last, 1000 do
    redis.call('RPUSH', list, unpack(texts, start, math.min(start + 999, last)))
  end
end

-- A thread is a list: the last number that was given to a message, then the messages that are kept, each after its
-- number. So a short one takes one key, and the numbers go on whatever is retracted.
local function number_at(thread, index)
  return tonumber(string.match(redis.call('LINDEX', thread, index), '^%d+'))
end

-- Where in a thread, which is `length` long, the numbers from `number` on begin. Numbers rise by one or more from one
-- message to the next: where nothing was retracted nothing is searched, and else only as far as gaps can reach.
local function place(thread, length, number)
  if length < 2 then
    return length
  end
  local first, last = number_at(thread, 1), number_at(thread, -1)
  if number <= first then
    return 1
  elseif number > last then
    return length
  end
  local low, high = math.max(1, length - 1 - (last - number)), math.min(length - 1, 1 + number - first)
  while low < high do
    local middle = math.floor((low + high) / 2)
    if number_at(thread, middle) < number then
      low = middle + 1
    else
      high = middle
    end
  end
  return low
end

-- Where the numbers above `after` begin, and where those above `upto` do; an empty `upto` is the end.
local function bounds(thread, after, upto)
  local length = redis.call('LLEN', thread)
  local from = place(thread, length, tonumber(after) + 1)
  return from, math.max(from, upto == '' and length or place(thread, length, tonumber(upto) + 1)), length
end

-- Texts from `first` to `last` of ARGV as the next messages of a thread; returns the last number.
local function say(thread, first, last)
  local kept = redis.call('LINDEX', thread, 0)
  local number, said = tonumber(kept or '0'), {}
  for at = first, last do
    number = number + 1
    said[#said + 1] = number .. '\n' .. ARGV[at]
  end
  if kept then
    redis.call('LSET', thread, 0, number)
  else
    redis.call('RPUSH', thread, number)
  end
  append(thread, said, 1, #said)
  return number
end

-- The version of what is remembered of a user, as text.
local function version_of(users, user)
  return string.match(redis.call('HGET', users, user) or '0', '^%d+')
end
