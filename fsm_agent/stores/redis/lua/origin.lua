-- Where a history begins, if it was shortened.
local head, origin = unpack(KEYS)
if redis.call('EXISTS', head) == 0 then
  return {'unknown'}
end
return {'done', redis.call('GET', origin)}
