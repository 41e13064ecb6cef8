"""The Lua that must be atomic. Each script names its KEYS and ARGV; key names come from keys.py, values from store.py."""

PUT_STREAM = """
-- KEYS streams, changes, idempotency   ARGV id, spec, fingerprint ('' without a key), max_streams (0: no limit), ttl_s
if ARGV[3] ~= '' then
  local known = redis.call('GET', KEYS[3])
  if known then
    local id, fingerprint = string.match(known, '^(%S+) (%S+)$')
    local spec = redis.call('HGET', KEYS[1], id)
    if spec and fingerprint ~= ARGV[3] then return {'other', spec} end
    if spec then return {'known', spec} end
  end
end
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then return {'taken', ''} end
if tonumber(ARGV[4]) > 0 and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[4]) then return {'full', ''} end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('XADD', KEYS[2], 'MAXLEN', '~', 1000, '*', 'id', ARGV[1], 'op', 'put')
if ARGV[3] ~= '' then redis.call('SET', KEYS[3], ARGV[1] .. ' ' .. ARGV[3], 'EX', ARGV[5]) end
return {'created', ''}
"""

PATCH_STREAM = """
-- KEYS streams, changes   ARGV id, spec, expected version
local spec = redis.call('HGET', KEYS[1], ARGV[1])
if not spec or cjson.decode(spec).version ~= tonumber(ARGV[3]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('XADD', KEYS[2], 'MAXLEN', '~', 1000, '*', 'id', ARGV[1], 'op', 'put')
return 1
"""

DELETE_STREAM = """
-- KEYS streams, changes, every key of the stream ...   ARGV id
local found = redis.call('HDEL', KEYS[1], ARGV[1])
for i = 3, #KEYS do redis.call('DEL', KEYS[i]) end
if found == 1 then redis.call('XADD', KEYS[2], 'MAXLEN', '~', 1000, '*', 'id', ARGV[1], 'op', 'delete') end
return found
"""

CLAIM = """
-- KEYS streams, epoch   ARGV id
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return 0 end
return redis.call('INCR', KEYS[2])
"""

SAVE_BLOB = """
-- KEYS epoch, blob   ARGV epoch, blob
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[2])
return 1
"""

PUT_STATUS = """
-- KEYS epoch, status, streams   ARGV epoch (0: not fenced), status, id
if redis.call('HEXISTS', KEYS[3], ARGV[3]) == 0 then return 0 end
if ARGV[1] ~= '0' and redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[2])
return 1
"""

PUBLISH = """
-- KEYS epoch, graph, snapshot, blob, watched, alert index, alert order, alert log, the stream's alerts, opened ..., changed ...
-- ARGV epoch, seq, message, snapshot, blob ('': none), max messages, max log, number opened,
--      per opened: id, body, severity, stream id; per changed: id, severity, incident state, closed at ('': open)
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {'fenced', 0} end
local added = redis.pcall('XADD', KEYS[2], 'MAXLEN', '~', ARGV[6], ARGV[2] .. '-1', 'm', ARGV[3])
if type(added) == 'table' and added.err then
  local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)
  if not last[1] then return added end
  local last_seq = string.match(last[1][1], '^%d+')
  if tonumber(last_seq) < tonumber(ARGV[2]) then return added end
  if last_seq ~= ARGV[2] then return {'back', tonumber(last_seq)} end
end
redis.call('SET', KEYS[3], ARGV[4])
if ARGV[5] ~= '' then redis.call('SET', KEYS[4], ARGV[5]) end
local opened, key, arg = tonumber(ARGV[8]), 10, 9
for _ = 1, opened do
  local id = ARGV[arg]
  if redis.call('EXISTS', KEYS[key]) == 0 then
    redis.call('HSET', KEYS[key], 'body', ARGV[arg + 1], 'severity', ARGV[arg + 2], 'stream', ARGV[arg + 3])
    local order = redis.call('INCR', KEYS[7])
    redis.call('ZADD', KEYS[6], order, id)
    redis.call('ZADD', KEYS[9], order, id)
    redis.call('XADD', KEYS[8], 'MAXLEN', '~', ARGV[7], '*', 'kind', 'opened', 'id', id)
  end
  key, arg = key + 1, arg + 4
end
while KEYS[key] do
  if redis.call('EXISTS', KEYS[key]) == 1 then
    redis.call('HSET', KEYS[key], 'severity', ARGV[arg + 1], 'incident_state', ARGV[arg + 2], 'closed_at_s', ARGV[arg + 3])
    redis.call('XADD', KEYS[8], 'MAXLEN', '~', ARGV[7], '*', 'kind', 'changed', 'id', ARGV[arg])
  end
  key, arg = key + 1, arg + 4
end
return {'ok', redis.call('EXISTS', KEYS[5])}
"""

PUT_WEBHOOK = """
-- KEYS webhooks, the webhook, alert log   ARGV id, record, max_webhooks
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then return 1 end
if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[3]) then return 0 end
local last = redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('HSET', KEYS[2], 'cursor', last[1] and last[1][1] or '0-0')
return 1
"""

NOTE_WEBHOOK = """
-- KEYS lease, webhooks, the webhook   ARGV holder, id, cursor before, cursor now, field, value ...
-- A call whose answer was lost comes again: the cursor stands where it goes.
if redis.call('GET', KEYS[1]) ~= ARGV[1] or redis.call('HEXISTS', KEYS[2], ARGV[2]) == 0 then return 'refused' end
local cursor = redis.call('HGET', KEYS[3], 'cursor')
if cursor ~= ARGV[3] and cursor ~= ARGV[4] then return 'moved' end
redis.call('HSET', KEYS[3], 'cursor', ARGV[4], unpack(ARGV, 5))
return 'noted'
"""

HOLD_LEASE = """
-- KEYS lease   ARGV holder, lifetime in ms
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""

LEAVE_LEASE = """
-- KEYS lease   ARGV holder
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""
