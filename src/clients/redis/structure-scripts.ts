import type { StructureName } from "../adapter.ts";
import { NUMBER_TEXT } from "./number-text.ts";

// KEYS[1]: the structure. ARGV[1] and [2]: "keep", "never" or a moment; the same for a structure
// that begins. ARGV[3] to [5]: the arguments of the call, lists as JSON.
const START = `
local key = KEYS[1]
local isNew = redis.call("EXISTS", key) == 0
local function settle()
  local at = ARGV[1]
  if at == "keep" and isNew then at = ARGV[2] end
  if at == "never" then redis.call("PERSIST", key)
  elseif at ~= "keep" then redis.call("PEXPIREAT", key, at) end
end
`;

/** Many arguments for one command: a call in Lua takes some thousands. */
const EACH = `
local function each(command, list)
  local total = 0
  for i = 1, #list, 1000 do
    total = total + redis.call(command, key, unpack(list, i, math.min(i + 999, #list)))
  end
  return total
end
`;

/**
 * Old members that are not wanted. They are removed after the new ones were added, so that the key
 * and its deadline are never lost.
 */
const REST = `
local function rest(all, step, list)
  local wanted, gone = {}, {}
  for i = 1, #list, step do wanted[list[i]] = true end
  for _, name in ipairs(all) do if not wanted[name] then gone[#gone + 1] = name end end
  return gone
end
`;

/**
 * Replaces a collection: how to learn its size (which refuses another type), to put in pairs or
 * single items, to name all, and to remove.
 */
const replacing = (
  size: string,
  put: string,
  all: string,
  remove: string,
  step: 1 | 2,
): string => `${START}${EACH}${REST}
redis.call("${size}", key)
local list = cjson.decode(ARGV[3])
if #list == 0 then return redis.call("UNLINK", key) end
local names = redis.call(${all})
${put === "ZADD" ? SCORES_FIRST : `each("${put}", list)`}
each("${remove}", rest(names, ${step}, list))
settle()
return 1
`;

/** Members stand before their scores in the list, as pairs do; the command wants them behind. */
const SCORES_FIRST = `
local turned = {}
for i = 1, #list, 2 do turned[i], turned[i + 1] = list[i + 1], list[i] end
local added = each("ZADD", turned)
`;

const adding = (command: string, size: string): string => `${START}${EACH}
redis.call("${size}", key)
local list = cjson.decode(ARGV[3])
${command === "ZADD" ? SCORES_FIRST : `local added = each("${command}", list)`}
settle()
return added
`;

const removing = (command: string, size: string): string => `${START}${EACH}
redis.call("${size}", key)
local gone = each("${command}", cjson.decode(ARGV[3]))
settle()
return gone
`;

const pushing = (command: string, turning = ""): string => `${START}${EACH}
local list = cjson.decode(ARGV[3])
${turning}
redis.call("LLEN", key)
each("${command}", list)
local length = redis.call("LLEN", key)
settle()
return length
`;

const popping = (command: string): string => `${START}
local item = redis.call("${command}", key)
settle()
return item
`;

/**
 * The ends of a range as Redis counts them, which includes the last: ARGV[3] and [4], the second ""
 * for the last. Nothing is after the end 0.
 */
const RANGE = `
local first, last = ARGV[3], ARGV[4] == "" and -1 or tonumber(ARGV[4]) - 1
local isEmpty = ARGV[4] == "0"
`;

/** A text that is no number is refused as Redis refuses another type. */
const NUMBER = `${NUMBER_TEXT}
local stored = redis.call("GET", KEYS[1])
local pattern = "^%-?%d+%.?%d*[eE]?[%+%-]?%d*$"
if stored and not (stored:match(pattern) and isFinite(tonumber(stored))) then
  return redis.error_reply("WRONGTYPE no number")
end
`;

/**
 * The head of a bitset says its width, and keeps it apart from other strings: ARGV[3] is the width,
 * ARGV[4] the index.
 */
const BITS = `
local bits = tonumber(ARGV[3])
local head = string.format("kvbits%02d", bits)
local length = redis.call("STRLEN", KEYS[1])
if length > 0 and redis.call("GETRANGE", KEYS[1], 0, 7) ~= head then
  return redis.error_reply("WRONGTYPE no bitset of this width")
end
local high = math.max(0, bits - 32)
local function get(from, to)
  local ask = {}
  for index = from, to do
    local at = 64 + index * bits
    if high > 0 then
      ask[#ask + 1] = "GET" ask[#ask + 1] = "i" .. high ask[#ask + 1] = string.format("%.0f", at)
      ask[#ask + 1] = "GET" ask[#ask + 1] = "u32" ask[#ask + 1] = string.format("%.0f", at + high)
    else
      ask[#ask + 1] = "GET" ask[#ask + 1] = "i" .. bits ask[#ask + 1] = string.format("%.0f", at)
    end
  end
  return redis.call("BITFIELD", KEYS[1], unpack(ask))
end
`;

// A number in Lua holds 53 bits: wider fields are read in two halves, and come so.
const bitsAnswer = (then = ""): string => `
local found = get(tonumber(ARGV[4]), tonumber(ARGV[4]))
${then}
return high > 0 and found or {0, found[1]}
`;

const changingBits = (command: "SET" | "INCRBY"): string => `${START}${BITS}
if length == 0 then redis.call("SETRANGE", key, 0, head) end
local offset = string.format("%.0f", 64 + tonumber(ARGV[4]) * bits)
redis.call("BITFIELD", key, "${command}", "i" .. bits, offset, ARGV[5])
${bitsAnswer("settle()")}`;

/** Adds up in two halves, so that the sum is exact. */
const BITS_SUM = `${BITS}
local from = tonumber(ARGV[4])
local to = math.min(tonumber(ARGV[5]), math.ceil((length - 8) * 8 / bits)) - 1
local upper, lower = 0, 0
for index = from, to, 500 do
  local found = get(index, math.min(index + 499, to))
  for i = 1, #found do
    if high > 0 and i % 2 == 1 then upper = upper + found[i] else lower = lower + found[i] end
  end
  local carry = math.floor(lower / 4294967296)
  upper, lower = upper + carry, lower - carry * 4294967296
end
return {string.format("%.0f", upper), string.format("%.0f", lower)}
`;

const rangeOf = (command: string): string => `${RANGE}
if isEmpty then redis.call("ZCARD", KEYS[1]) return {} end
return redis.call("${command}", KEYS[1], first, last, "WITHSCORES")
`;

/**
 * A script for each call: the native commands of Redis, made atomic.
 */
export const STRUCTURE_SCRIPTS: {
  readonly [Name in Exclude<StructureName, "set.intersect">]: string;
} = {
  "number.read": `${NUMBER}return stored`,
  "number.write": `${START}${NUMBER}redis.call("SET", key, ARGV[3], "KEEPTTL")\nsettle()\nreturn 1`,
  // INCRBY knows whole numbers alone, written as it writes them.
  "number.increment": `${START}${NUMBER}
local before, by = tonumber(stored or "0") + 0, tonumber(ARGV[3])
local sum = before + by
local function whole(number)
  return number == math.floor(number) and math.abs(number) <= 9007199254740991
    and string.format("%.0f", number)
end
if not isFinite(sum) or (sum == math.floor(sum) and not whole(sum)) then return false end
local text = whole(sum) or textOf(sum)
if whole(by) and (not stored or stored == whole(before)) then
  redis.call("INCRBY", key, whole(by))
else
  redis.call("SET", key, text, "KEEPTTL")
end
settle()
return text
`,
  "bitset.get": `${BITS}\nif length == 0 then return false end${bitsAnswer()}`,
  "bitset.sum": BITS_SUM,
  "bitset.set": changingBits("SET"),
  "bitset.increment": changingBits("INCRBY"),
  "set.read": `return redis.call("SMEMBERS", KEYS[1])`,
  "set.has": `return redis.call("SISMEMBER", KEYS[1], ARGV[3])`,
  "set.size": `return redis.call("SCARD", KEYS[1])`,
  "set.write": replacing("SCARD", "SADD", `"SMEMBERS", key`, "SREM", 1),
  "set.add": adding("SADD", "SCARD"),
  "set.remove": removing("SREM", "SCARD"),
  "list.range": `${RANGE}
if isEmpty then redis.call("LLEN", KEYS[1]) return {} end
return redis.call("LRANGE", KEYS[1], first, last)
`,
  "list.size": `return redis.call("LLEN", KEYS[1])`,
  "list.write": `${START}${EACH}
local before = redis.call("LLEN", key)
local list = cjson.decode(ARGV[3])
if #list == 0 then return redis.call("UNLINK", key) end
each("RPUSH", list)
redis.call("LTRIM", key, before, -1)
settle()
return 1
`,
  "list.push": pushing("RPUSH"),
  // Each is put in front of the one before it: from the last to the first.
  "list.unshift": pushing(
    "LPUSH",
    "for i = 1, #list / 2 do list[i], list[#list + 1 - i] = list[#list + 1 - i], list[i] end",
  ),
  "list.pop": popping("RPOP"),
  "list.shift": popping("LPOP"),
  "list.trim": `${START}${RANGE}
if isEmpty then
  redis.call("LLEN", key)
  redis.call("UNLINK", key)
else
  redis.call("LTRIM", key, first, last)
end
settle()
return 1
`,
  "hash.read": `return redis.call("HGETALL", KEYS[1])`,
  "hash.get": `return redis.call("HGET", KEYS[1], ARGV[3])`,
  "hash.names": `return redis.call("HKEYS", KEYS[1])`,
  "hash.size": `return redis.call("HLEN", KEYS[1])`,
  "hash.write": replacing("HLEN", "HSET", `"HKEYS", key`, "HDEL", 2),
  "hash.set": adding("HSET", "HLEN"),
  "hash.remove": removing("HDEL", "HLEN"),
  "sorted.range": `if ARGV[5] == "1" then${rangeOf("ZREVRANGE")}end${rangeOf("ZRANGE")}`,
  "sorted.between": `
if ARGV[5] == "1" then
  return redis.call("ZREVRANGEBYSCORE", KEYS[1], ARGV[4], ARGV[3], "WITHSCORES")
end
return redis.call("ZRANGEBYSCORE", KEYS[1], ARGV[3], ARGV[4], "WITHSCORES")
`,
  "sorted.score": `return redis.call("ZSCORE", KEYS[1], ARGV[3])`,
  "sorted.rank": `return redis.call(ARGV[4] == "1" and "ZREVRANK" or "ZRANK", KEYS[1], ARGV[3])`,
  "sorted.size": `return redis.call("ZCARD", KEYS[1])`,
  "sorted.write": replacing("ZCARD", "ZADD", `"ZRANGE", key, 0, -1`, "ZREM", 2),
  "sorted.add": adding("ZADD", "ZCARD"),
  "sorted.remove": removing("ZREM", "ZCARD"),
  "sorted.increment": `${START}${NUMBER_TEXT}
local sum = tonumber(redis.call("ZSCORE", key, ARGV[3]) or "0") + tonumber(ARGV[4])
if not isFinite(sum) then return false end
local text = textOf(sum)
redis.call("ZADD", key, text, ARGV[3])
settle()
return text
`,
  "any.touch": `${START}
if isNew then return 0 end
settle()
return 1
`,
};
