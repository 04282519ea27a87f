"""Steps of a job that must be one step: Lua, run by the store. Each answers a number."""

SUBMIT = """
-- KEYS: job, claim, index, open, stream; ARGV: most, now, expires (s), claim seconds, job seconds, claim, id, tenant,
-- oldest id worth listing, then the job's fields. 0 where the tenant has too many.
redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', ARGV[2])
if redis.call('ZCARD', KEYS[4]) >= tonumber(ARGV[1]) then return 0 end
redis.call('ZADD', KEYS[4], ARGV[3], ARGV[7])
redis.call('EXPIRE', KEYS[4], ARGV[5])
redis.call('SET', KEYS[2], ARGV[6], 'EX', ARGV[4])
redis.call('HSET', KEYS[1], unpack(ARGV, 10))
redis.call('EXPIRE', KEYS[1], ARGV[5])
redis.call('ZREMRANGEBYLEX', KEYS[3], '-', '(' .. ARGV[9])
redis.call('ZADD', KEYS[3], 0, ARGV[7])
redis.call('EXPIRE', KEYS[3], ARGV[5])
redis.call('XADD', KEYS[5], '*', 'tenant', ARGV[8], 'id', ARGV[7])
return 1
"""

BEGIN = """
-- KEYS: job; ARGV: owner, now. The number of the attempt, 0 where there is nothing left to do.
local status = redis.call('HGET', KEYS[1], 'status')
if status ~= 'queued' and status ~= 'running' then return 0 end
redis.call('HSET', KEYS[1], 'status', 'running', 'owner', ARGV[1], 'updated', ARGV[2])
return redis.call('HINCRBY', KEYS[1], 'attempts', 1)
"""

REPORT = """
-- KEYS: job; ARGV: owner, now, progress. 0 where the job is no longer the owner's to run.
local held = redis.call('HMGET', KEYS[1], 'status', 'owner', 'progress')
if held[1] ~= 'running' or held[2] ~= ARGV[1] then return 0 end
if tonumber(ARGV[3]) > tonumber(held[3]) then
  redis.call('HSET', KEYS[1], 'progress', ARGV[3], 'updated', ARGV[2])
end
return 1
"""

COMMIT = """
-- KEYS: job; ARGV: owner. From here on a job cannot be cancelled: its event goes out. 0 where it was cancelled.
local held = redis.call('HMGET', KEYS[1], 'status', 'owner')
if held[1] ~= 'running' or held[2] ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'committed', '1')
return 1
"""

END = """
-- KEYS: job, claim, result, open, due; ARGV: owner ('' cancels), status, now, problem, result, result seconds,
-- due (ms), id, member. 1 where this ended the job, 0 where it had ended or is another's, -1 where it is too late.
local held = redis.call('HMGET', KEYS[1], 'status', 'owner', 'committed')
if held[1] ~= 'queued' and held[1] ~= 'running' then return 0 end
if ARGV[1] == '' then
  if held[3] then return -1 end
elseif held[2] ~= ARGV[1] then
  return 0
end
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[1], 'status', ARGV[2], 'updated', ARGV[3])
if ARGV[2] == 'succeeded' then redis.call('HSET', KEYS[1], 'progress', '1') end
if ARGV[4] ~= '' then redis.call('HSET', KEYS[1], 'problem', ARGV[4]) end
if ARGV[5] ~= '' then redis.call('SET', KEYS[3], ARGV[5], 'EX', ARGV[6]) end
redis.call('ZREM', KEYS[4], ARGV[8])
if redis.call('HEXISTS', KEYS[1], 'callback') == 1 then redis.call('ZADD', KEYS[5], ARGV[7], ARGV[9]) end
return 1
"""

LEASE = """
-- KEYS: due; ARGV: now (ms), until (ms). Takes one callback that is due, for as long; nothing where none is.
local found = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, 1)
if not found[1] then return '' end
redis.call('ZADD', KEYS[1], ARGV[2], found[1])
return found[1]
"""
