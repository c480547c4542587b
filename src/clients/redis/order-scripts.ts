// An index is a sorted set of the names of records, all with the score 0. Its member "" has the
// score 0 once the index is complete, and the negative number of the build before.

/** Deals with the index in KEYS[#KEYS]; `last` is the number of the other keys. */
const INDEX = `
local last = #KEYS - 1
local index = KEYS[#KEYS]
local function isRecord(key) return redis.pcall("GETRANGE", key, 0, 5) == '{"kv":' end
local function change(command, ...)
  local reply = redis.pcall(command, index, ...)
  if type(reply) ~= "table" then return reply end
  if tostring(reply.err):find("WRONGTYPE", 1, true) then redis.call("UNLINK", index) end
  return redis.call(command, index, ...)
end
`;

/**
 * The functions `put(key, text, deadline)` and `drop(key)`, which keep the index as well. A record
 * that the index did not know was written without it: then others may be missing, and the index is
 * made anew.
 */
export const ORDERED_WRITES: string = `${INDEX}
local function distrust(key)
  if isRecord(key) and redis.call("ZSCORE", index, "") == "0" then redis.call("ZREM", index, "") end
end
local function put(key, text, deadline)
  if change("ZADD", 0, key) == 1 then distrust(key) end
  if deadline == "" then redis.call("SET", key, text)
  else redis.call("SET", key, text, "PXAT", deadline) end
end
local function drop(key)
  if change("ZREM", key) == 0 then distrust(key) end
  redis.call("UNLINK", key)
end
`;

/** Writes records: KEYS, the index, and a text and a deadline for each key, "" for none. */
export const PUT: string = `${ORDERED_WRITES}
for i = 1, last do
  local text = ARGV[2 * i - 1]
  if text == "" then drop(KEYS[i]) else put(KEYS[i], text, ARGV[2 * i]) end
end
`;

/**
 * KEYS: the index. ARGV: the bounds of a range of names, whether the upper one is a prefix, whether
 * the order is reversed, the limit. Answers nothing for an index that is not complete.
 */
export const NAMES: string = `
if redis.pcall("ZSCORE", KEYS[1], "") ~= "0" then return false end
local from, to = ARGV[1], ARGV[2]
if ARGV[3] == "1" then to = to .. "\\255" end
if ARGV[4] == "1" then
  return redis.call("ZREVRANGEBYLEX", KEYS[1], to, from, "LIMIT", 0, ARGV[5])
end
return redis.call("ZRANGEBYLEX", KEYS[1], from, to, "LIMIT", 0, ARGV[5])
`;

/** Some names of the index in KEYS[1], by chance: as many as ARGV[1]. */
export const SAMPLE: string = `
local names = redis.pcall("ZRANDMEMBER", KEYS[1], ARGV[1])
return names.err and {} or names
`;

/** Takes the names of KEYS that lead to no record from the index. */
export const FORGET: string = `${INDEX}
for i = 1, last do if not isRecord(KEYS[i]) then change("ZREM", KEYS[i]) end end
`;

/**
 * KEYS: the progress of the build, the index. ARGV[1]: the negative number of a new build. Answers
 * the score of the member "", and the progress: those of a build that has begun already.
 */
export const BEGIN: string = `${INDEX}
local score = redis.pcall("ZSCORE", index, "")
if type(score) == "table" then redis.call("UNLINK", index) end
if type(score) ~= "string" then
  redis.call("ZADD", index, ARGV[1], "")
  redis.call("UNLINK", KEYS[1])
  score = redis.call("ZSCORE", index, "")
end
local progress = redis.pcall("GET", KEYS[1])
return {score, type(progress) == "string" and progress or ""}
`;

/**
 * KEYS: names that may be those of records, the progress of the build, the index. ARGV: the score
 * of the build, the progress or "". Answers 0 when the index was lost meanwhile.
 */
export const ADD: string = `${INDEX}
if redis.pcall("ZSCORE", index, "") ~= ARGV[1] then return 0 end
for i = 1, last - 1 do if isRecord(KEYS[i]) then redis.call("ZADD", index, 0, KEYS[i]) end end
if ARGV[2] ~= "" then redis.call("SET", KEYS[last], ARGV[2], "EX", 3600) end
return 1
`;

/**
 * KEYS: the progress of the build, the index. ARGV[1]: the score of the build. Makes the index
 * complete; answers 0 when it was lost meanwhile.
 */
export const FINISH: string = `${INDEX}
if redis.pcall("ZSCORE", index, "") ~= ARGV[1] then return 0 end
redis.call("UNLINK", KEYS[1])
redis.call("ZADD", index, 0, "")
return 1
`;
