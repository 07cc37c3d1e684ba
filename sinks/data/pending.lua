-- How many entries of one district a group has not acknowledged, and the oldest of them.
-- KEYS: district stream
-- ARGV: group
-- Returns {entries given to takers, entries not given to any, id of the oldest or ''}. Reads only.
local stream, group = KEYS[1], ARGV[1]
local given, last, left = 0, '0-0', nil
if redis.call('EXISTS', stream) == 0 then return {0, 0, ''} end
for _, about in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
  local found = {}
  for i = 1, #about, 2 do found[about[i]] = about[i + 1] end
  if found['name'] == group then
    given, last, left = found['pending'], found['last-delivered-id'], found['lag']
  end
end
-- Servers before 7.0 do not know how far a group is behind, and later ones not always.
if type(left) ~= 'number' then
  left = #redis.call('XRANGE', stream, '(' .. last, '+', 'COUNT', 100000)
end
local oldest = ''
if given > 0 then
  local first = redis.call('XPENDING', stream, group, '-', '+', 1)
  oldest = first[1] and first[1][1] or ''
end
if oldest == '' then
  local first = redis.call('XRANGE', stream, '(' .. last, '+', 'COUNT', 1)
  oldest = first[1] and first[1][1] or ''
end
return {given, left, oldest}
