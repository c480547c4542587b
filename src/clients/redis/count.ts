import { foreign } from "../../record/text-format.ts";
import { versionOf } from "../../record/version.ts";
import type { KvRecord } from "../../record/types.ts";
import type { Counted, CountRules } from "../adapter.ts";
import { rejecting, unsure } from "./errors.ts";
import { EXPIRES_AT, EXPIRES_WIDTH } from "./record.ts";
import type { Ordering } from "./commit.ts";
import { PLAIN_WRITES, READ_HEAD, runText } from "./scripts.ts";
import { NUMBER_TEXT } from "./number-text.ts";
import type { RedisWire } from "./wire.ts";

/** The last place that one read of a number looks at: only metadata makes a number longer. */
const SHORT = 255;

/**
 * ARGV: now, the version of the new record, the summand, the deadline of a number that starts
 * ("null" for never), the least and the largest sum. A count in a window also has its limit and the
 * deadline of a block, "" for none.
 *
 * Answers -1 for a foreign item, 0 where no number is stored or the sum is not exact, 1 for a sum
 * that is out of bounds; otherwise 2, the sum, its deadline, and whether an earlier sending of this
 * call had counted already.
 */
const count = (writes: string): string => `${READ_HEAD}${NUMBER_TEXT}${writes}
local key, now, by, deadline = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[3]), ARGV[4]
local isWindow, limit, blocked = ARGV[7] ~= "", tonumber(ARGV[7]), ARGV[8]
local before, metadata = 0, ""
local version, expires, record = head(key, ${SHORT})
if version == false then return {-1} end
local isNew = version == nil or (expires and expires <= now)
if not isNew then
  if #record > ${SHORT} then record = redis.call("GET", key) end
  local start, number = record:match('^(.*),"value":(%-?%d[%d%.eE%+%-]*)}$')
  before = tonumber(number)
  if not before then return {0} end
  if expires then deadline = string.format("%.0f", expires)
  elseif not isWindow then deadline = "null" end
  if version == ARGV[2] then return {2, textOf(before), deadline, 1} end
  local comma = start:find(",", ${EXPIRES_AT}, true)
  if comma then metadata = start:sub(comma) end
elseif isWindow and by <= 0 then return {2, "0", deadline, 0} end
local sum = before + by
if isWindow and sum < 0 then sum = 0 end
local isWhole = sum == math.floor(sum)
if not isFinite(sum) or (isWhole and math.abs(sum) > 9007199254740991) then return {0} end
if sum < tonumber(ARGV[5]) or sum > tonumber(ARGV[6]) then return {1} end
if isWindow and by == 0 and expires then return {2, textOf(before), deadline, 0} end
if isWindow and blocked ~= "" and sum > limit and sum - by <= limit then deadline = blocked end
local text = isWhole and string.format("%.0f", sum) or textOf(sum)
if text == "-0" then text = "0" end
record = '{"kv":1,"version":"' .. ARGV[2] .. '","expires":'
  .. string.format("%-${EXPIRES_WIDTH}s", deadline) .. metadata .. ',"value":' .. text .. "}"
put(key, record, deadline == "null" and "" or deadline)
return {2, text, deadline, 0}
`;

const scripts = new Map<string, string>();

/** The script with these functions that write. */
function scriptOf(writes: string): string {
  const known = scripts.get(writes) ?? count(writes);
  scripts.set(writes, known);
  return known;
}

const bound = (limit: number): string =>
  Number.isFinite(limit) ? String(limit) : limit > 0 ? "1e999" : "-1e999";

/** Adds to the number in a record with one script: see `Adapter.count`. */
export async function countInRedis(
  wire: RedisWire,
  key: string,
  record: KvRecord,
  { now, min, max, window }: CountRules,
  ordering?: Ordering,
): Promise<Counted | null | undefined> {
  const isUnsure = await wire.watch().catch(rejecting(key));
  const args = [
    String(now),
    versionOf(record)!,
    String(record.value),
    String(record.expires),
    bound(min),
    bound(max),
    window === undefined ? "" : bound(window.max),
    String(window?.blockedUntil ?? ""),
  ];
  const name = wire.before + key;
  const names = ordering === undefined ? [name] : [name, ordering.indexOf(key)];
  const script = scriptOf(ordering?.writes ?? PLAIN_WRITES);
  const reply = await runText(wire, script, names, args).catch(rejecting(key));
  const [kind, count, expires, isRepeated] = reply as [number, string?, string?, number?];
  if (Number(kind) === -1) throw foreign(key);
  if (isUnsure() && Number(isRepeated) !== 1) throw unsure();
  if (Number(kind) < 2) return Number(kind) === 1 ? null : undefined;
  return { count: Number(count), expires: expires === "null" ? null : Number(expires) };
}
