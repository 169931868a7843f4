-- The workflows of which agents ask, each found behind the one before.
local index = KEYS[1]
local from, found = '[q', {}
while true do
  local member = redis.call('ZRANGEBYLEX', index, from, '(r', 'LIMIT', 0, 1)[1]
  if not member then
    return {'done', found}
  end
  local workflow = string.match(member, '^q([^%z]*)%z')
  found[#found + 1] = workflow
  from = '[q' .. workflow .. '\1'
end
