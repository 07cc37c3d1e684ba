-- Acknowledge an entry and report it, once: whoever comes second is told that it was done.
-- KEYS: district stream, feedback stream
-- ARGV: group, id of the entry, feedback ('' for none), feedback entries to keep
if redis.call('XACK', KEYS[1], ARGV[1], ARGV[2]) == 0 then
  return 0
end
if ARGV[3] ~= '' then
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[4], '*', 'payload', ARGV[3])
end
return 1
