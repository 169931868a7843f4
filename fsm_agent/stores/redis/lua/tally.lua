-- How many of these agents there are of each workflow, status and state, which is JSON: kind, count, kind, count. Heads
-- that cannot be read are left out, as far as a script can tell.
local counts, told = {}, {}
for _, head in ipairs(KEYS) do
  local pin, status, version, moving = unpack(redis.call('HMGET', head, 'pin', 'status', 'version', 'moving'))
  local workflow = string.match(pin or '', '^(.*)\n[^\n]*$')
  local state = string.match(string.match(moving or '', '^[^\n]*'), '^%[(.*),%-?%d+%]$')
  local is_whole = string.sub(moving or '', -1) == ']' and string.match(version or '', '^%-?%d+$')
  if workflow and state and is_whole and string.match(status or '', '^[1-6]$') then
    local kind = workflow .. '\n' .. status .. '\n' .. state
    counts[kind] = (counts[kind] or 0) + 1
  end
end
for kind, count in pairs(counts) do
  told[#told + 1] = kind
  told[#told + 1] = count
end
return {'done', told}
