-- Put one entry into the queue of its district, once: the transition's id is remembered in the incident's hash.
-- KEYS: incident hash, district stream, set of districts, live channel
-- ARGV: transition id, district, live message, then names and values of the entry without its revision
-- Returns the id of the entry in the stream, or false if it was there before.
if redis.call('HSETNX', KEYS[1], 'entry:' .. ARGV[1], '') == 0 then
  return false
end
local revision = redis.call('HINCRBY', KEYS[1], 'revision', 1)
local id = redis.call('XADD', KEYS[2], '*', 'transition_id', ARGV[1], 'revision', revision, unpack(ARGV, 4))
redis.call('HSET', KEYS[1], 'entry:' .. ARGV[1], id)
redis.call('SADD', KEYS[3], ARGV[2])
redis.call('PUBLISH', KEYS[4], ARGV[3])
return id
