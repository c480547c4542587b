import { digestOf } from "../../record/bytes.ts";
import { COMMA_AT, EXPIRES_AT, HEAD_END } from "./record.ts";
import type { RedisWire } from "./wire.ts";

/**
 * The function `head(key, last)`: version and deadline of a record, `nil` for nothing, `false` for
 * a foreign item; and the text of the record up to its place `last`, or up to the end of its head.
 */
export const READ_HEAD: string = `
local function head(key, last)
  local text = redis.pcall("GETRANGE", key, 0, last or ${HEAD_END})
  if type(text) == "table" then return false end
  if text == "" and redis.call("EXISTS", key) == 0 then return nil end
  local head = '^{"kv":1,"version":"(%x+)","expires":([-%dnul]+) *,"(%l+)":'
  local version, expires, member = text:match(head)
  if not version or #version ~= 20 then return false end
  if member ~= "value" and member ~= "metadata" then return false end
  return version, expires ~= "null" and tonumber(expires) or nil, text
end
`;

/**
 * The functions `put(key, text, deadline)` and `drop(key)`, and `last`: the number of keys. A
 * deadline is "" for none.
 */
export const PLAIN_WRITES: string = `
local last = #KEYS
local function put(key, text, deadline)
  if deadline == "" then redis.call("SET", key, text)
  else redis.call("SET", key, text, "PXAT", deadline) end
end
local function drop(key) redis.call("UNLINK", key) end
`;

/** The beginning of each string; nothing for those that are absent or no strings. */
const HEADS = `
local heads = {}
for i, key in ipairs(KEYS) do
  local text = redis.pcall("GETRANGE", key, 0, ${HEAD_END})
  if type(text) == "table" or text == "" and redis.call("EXISTS", key) == 0 then text = false end
  heads[i] = text
end
return heads
`;

/**
 * ARGV: now, the version and the deadline as they stand in the record, the deadline or "". Answers
 * 1 when moved, 0 when absent, -1 when foreign.
 */
const TOUCH = `${READ_HEAD}
local key, now = KEYS[1], tonumber(ARGV[1])
local version, expires = head(key)
if version == nil then return 0 end
if version == false then return -1 end
if expires and expires <= now then return 0 end
local start = '{"kv":1,"version":"' .. ARGV[2] .. '","expires":' .. ARGV[3] .. ','
if redis.call("GETRANGE", key, ${COMMA_AT}, ${COMMA_AT}) == "," then
  redis.call("SETRANGE", key, 0, start)
else
  local text = redis.call("GET", key)
  redis.call("SET", key, start .. text:sub(text:find(",", ${EXPIRES_AT}, true) + 1))
end
if ARGV[4] == "" then redis.call("PERSIST", key) else redis.call("PEXPIREAT", key, ARGV[4]) end
return 1
`;

/**
 * KEYS: those of the checks, those of the writes. ARGV: now, how many checks, the version of the
 * written records; the version of each check, "" for none; the text and the deadline of each write,
 * "" for none. Answers with the numbers of the checks that failed, 0 and a number for one that
 * found something foreign.
 *
 * A client may send it again when it lost the answer: then the written records are found, and the
 * commit succeeds.
 */
export const commitScript = (writes: string): string => `${READ_HEAD}${writes}
local now, checks, written = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local failed = {}
for i = 1, checks do
  local version, expires = head(KEYS[i])
  if version == false then return {0, i} end
  if version == nil or (expires and expires <= now) then version = "" end
  if version ~= ARGV[3 + i] then failed[#failed + 1] = i end
end
local at = 4 + checks
if #failed > 0 then
  for i = checks + 1, last do
    if ARGV[at] ~= "" then return head(KEYS[i]) == written and {} or failed end
    at = at + 2
  end
  return failed
end
for i = checks + 1, last do
  local text = ARGV[at]
  if text == "" then drop(KEYS[i]) else put(KEYS[i], text, ARGV[at + 1]) end
  at = at + 2
end
return {}
`;

/** The name of a script. */
export type RedisScript = "heads" | "touch" | "commit";

const SCRIPTS: { readonly [name in RedisScript]: string } = {
  heads: HEADS,
  touch: TOUCH,
  commit: commitScript(PLAIN_WRITES),
};

const digests = new Map<string, string>();

/** The SHA-1 of a script, by which a server knows those that it has run. */
async function nameOf(script: string): Promise<string> {
  const digest = await digestOf("SHA-1", script);
  digests.set(script, digest);
  return digest;
}

/** Computes the digests of the named scripts that have none yet. */
export async function nameScripts(): Promise<void> {
  const unnamed = Object.values(SCRIPTS).filter((script) => !digests.has(script));
  await Promise.all(unnamed.map(nameOf));
}

/**
 * Runs a script on keys of one slot: by its digest, in full where the server does not know it yet.
 */
export async function runText(
  wire: RedisWire,
  script: string,
  keys: readonly string[],
  args: readonly string[],
): Promise<unknown> {
  const rest = [String(keys.length), ...keys, ...args];
  try {
    // At once where the digest is known: the command then waits as long as its caller does.
    const digest = digests.get(script) ?? (await nameOf(script));
    return await wire.send(keys[0]!, ["EVALSHA", digest, ...rest]);
  } catch (error) {
    if (!String((error as Partial<Error> | null)?.message).startsWith("NOSCRIPT")) throw error;
    return wire.send(keys[0]!, ["EVAL", script, ...rest]);
  }
}

/** The same for a script that has a name. */
export function runScript(
  wire: RedisWire,
  name: RedisScript,
  keys: readonly string[],
  args: readonly string[],
): Promise<unknown> {
  return runText(wire, SCRIPTS[name], keys, args);
}
