-- Take entries of one district for a taker, the most urgent first, and report each as dispatched.
-- KEYS: district stream, sorted set of waiting entries, dead letters, feedback stream
-- ARGV: group, taker, how many, lease in ms, deliveries after which an entry is dead, district,
--       prefix of incident hashes, time of the feedback in ms ('' for none), feedback entries to keep
-- Returns a list of {id, deliveries, fields}.
--
-- New entries are read by the taker 'backlog', who keeps them in order of urgency for the others. Takers that use
-- XREADGROUP and XAUTOCLAIM alone may share the group: an entry has one owner at any time.
local stream, waiting, dead, feedback = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local group, taker, count, lease, most = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local taken = {}
if redis.call('EXISTS', stream) == 0 then return taken end
redis.pcall('XGROUP', 'CREATE', stream, group, '0')

local function field(fields, name)
  for i = 1, #fields, 2 do
    if fields[i] == name then return fields[i + 1] end
  end
  return ''
end

local function bury(id, deliveries, owner)
  local found = redis.call('XRANGE', stream, id, id)
  if found[1] then
    redis.call('XADD', dead, '*', 'district', ARGV[6], 'entry', id, 'deliveries', deliveries, 'taker', owner,
      unpack(found[1][2]))
  end
  redis.call('XACK', stream, group, id)
end

local function claim(id, ...)
  local found = redis.call('XCLAIM', stream, group, taker, 0, id, ...)
  if found[1] and found[1][2] then
    taken[#taken + 1] = {id, 0, found[1][2]}
    return true
  end
  redis.call('XACK', stream, group, id)
  return false
end

-- What others took and did not finish within the lease.
for _, one in ipairs(redis.call('XPENDING', stream, group, 'IDLE', lease, '-', '+', count + 16)) do
  local id, owner, deliveries = one[1], one[2], one[4]
  if owner ~= 'backlog' and #taken < count then
    if deliveries >= most then
      bury(id, deliveries, owner)
    elseif claim(id) then
      taken[#taken][2] = deliveries + 1
    end
  end
end

-- What is new goes to the backlog.
local fresh = redis.call('XREADGROUP', 'GROUP', group, 'backlog', 'COUNT', 1000, 'STREAMS', stream, '>')
if fresh then
  for _, entry in ipairs(fresh[1][2]) do
    local urgency = tonumber(field(entry[2], 'due_ms')) - tonumber(field(entry[2], 'level')) * 1e13
    redis.call('ZADD', waiting, urgency, entry[1])
  end
end

-- The most urgent of the backlog.
while #taken < count do
  local next = redis.call('ZPOPMIN', waiting)
  if not next[1] then break end
  local owner = redis.call('XPENDING', stream, group, next[1], next[1], 1)
  if owner[1] and owner[1][2] == 'backlog' and claim(next[1], 'RETRYCOUNT', 1) then
    taken[#taken][2] = 1
  end
end

if ARGV[8] ~= '' then
  for _, one in ipairs(taken) do
    local incident = field(one[3], 'incident_id')
    local status = redis.call('HGET', ARGV[7] .. incident, 'status')
    if field(one[3], 'level') ~= '0' and (not status or status == 'raised' or status == 'dispatched') then
      redis.call('XADD', feedback, 'MAXLEN', '~', ARGV[9], '*', 'payload', cjson.encode({
        incident_id = incident, action = 'dispatch', actor = taker, ts = tonumber(ARGV[8]),
      }))
    end
  end
end
return taken
