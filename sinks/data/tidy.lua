-- Forget entries of a district that have been there for long and that every group has done with.
-- KEYS: district stream. ARGV: how long to keep entries, ms. Returns how many were forgotten.
local function ms(id) return tonumber(string.match(id, '^%d+')) end
local before = tonumber(redis.call('TIME')[1]) * 1000 - tonumber(ARGV[1])
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local groups = redis.call('XINFO', 'GROUPS', KEYS[1])
if #groups == 0 then return 0 end
for _, group in ipairs(groups) do
  local about = {}
  for i = 1, #group, 2 do about[group[i]] = group[i + 1] end
  before = math.min(before, ms(about['last-delivered-id']))
  local pending = redis.call('XPENDING', KEYS[1], about['name'])
  if pending[1] > 0 then before = math.min(before, ms(pending[2])) end
end
return redis.call('XTRIM', KEYS[1], 'MINID', string.format('%d', before))
