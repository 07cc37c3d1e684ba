-- Add transitions of one day to the alert stream and call them out, each once.
-- KEYS: alert stream, set of the day's names, live channel
-- ARGV: seconds to remember names, entries to keep, then name, payload, live message of each transition
for i = 3, #ARGV, 3 do
  if redis.call('SADD', KEYS[2], ARGV[i]) == 1 then
    redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', 'payload', ARGV[i + 1])
    redis.call('PUBLISH', KEYS[3], ARGV[i + 2])
  end
end
return redis.call('EXPIRE', KEYS[2], ARGV[1])
