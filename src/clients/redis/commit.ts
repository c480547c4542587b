import { isKvError, KvError } from "../../errors.ts";
import { formatVersion, timedStamp } from "../../record/version.ts";
import { foreign } from "../../record/text-format.ts";
import type { Check, Write } from "../../record/types.ts";
import type { CommitResult } from "../../types.ts";
import { committed } from "../shared/all-or-nothing.ts";
import { redisError, rejecting, unsure } from "./errors.ts";
import { settingOf } from "./many.ts";
import { encodeRecordText, EXPIRES_WIDTH } from "./record.ts";
import { runScript, runText } from "./scripts.ts";
import { slotOf } from "./slot.ts";
import type { RedisWire } from "./wire.ts";

/** Moves a deadline. Resolves to whether there is a record. */
export async function touchInRedis(
  wire: RedisWire,
  key: string,
  expires: number | null,
): Promise<boolean> {
  const args = [
    String(Date.now()),
    formatVersion(timedStamp()),
    String(expires).padEnd(EXPIRES_WIDTH),
    String(expires ?? ""),
  ];
  const reply = Number(
    await runScript(wire, "touch", [wire.before + key], args).catch(rejecting(key)),
  );
  if (reply === -1) throw foreign(key);
  return reply === 1;
}

/** @throws {KvError} KV_CROSS_SLOT for keys of several slots of a cluster. */
function checkSlots(wire: RedisWire, keys: readonly string[]): void {
  const slots = wire.isCluster ? new Set(keys.map((key) => slotOf(wire.prefix + key))).size : 1;
  if (slots === 1) return;
  const remedy = 'give its keys a hash tag in common, for example by the prefix "{user:1}:"';
  throw new KvError(
    "KV_CROSS_SLOT",
    `the keys of this commit are in ${slots} slots of the cluster, and it holds in one ` +
      `alone: ${remedy}`,
    { key: keys[0] },
  );
}

/** How scripts keep the order of keys. */
export interface Ordering {
  /** The name of the index of a key, as commands take it: the last key of a script. */
  readonly indexOf: (key: string) => string;
  /** The functions of scripts that write, instead of {@link PLAIN_WRITES}. */
  readonly writes: string;
  /** The script that commits with them. */
  readonly commit: string;
}

/**
 * Writes a record if its key is absent: a plain command, which costs a server much less than a
 * script. Resolves to whether it did. If not, the script finds out what is there.
 */
async function setAbsent(
  wire: RedisWire,
  checks: readonly Check[],
  writes: readonly Write[],
  refusing: (error: unknown) => never,
): Promise<boolean> {
  const [check, write] = [checks[0], writes[0]];
  if (checks.length !== 1 || writes.length !== 1 || check!.version !== null) return false;
  const { key, record } = write!;
  if (record === null || check!.key !== key) return false;
  const command = settingOf(wire, key, record);
  return (await wire.send(wire.before + key, [...command, "NX"]).catch(refusing)) === "OK";
}

/** Commits with one script, or with a command that does the same. */
export async function commitToRedis(
  wire: RedisWire,
  checks: readonly Check[],
  writes: readonly Write[],
  now: number,
  ordering?: Ordering,
): Promise<CommitResult> {
  const result = committed(writes) as CommitResult & { ok: true };
  const keys = [...checks, ...writes].map(({ key }) => key);
  if (keys.length === 0) return result;
  checkSlots(wire, keys);
  const isUnsure = await wire.watch().catch(rejecting());
  const refusing = (error: unknown): never => {
    const known = redisError(error);
    throw isUnsure() && isKvError(known) ? unsure(known) : known;
  };
  // A plain command cannot keep the order of keys.
  const isPlain = ordering === undefined;
  if (isPlain && (await setAbsent(wire, checks, writes, refusing))) return result;
  // The empty text marks an absent key. No record has an empty version.
  const args = [
    String(now),
    String(checks.length),
    result.version,
    ...checks.map(({ version }) => (version === null ? "" : String(version) || "-")),
  ];
  for (const { key, record } of writes)
    args.push(record === null ? "" : encodeRecordText(record, key), String(record?.expires ?? ""));
  const names = keys.map((key) => wire.before + key);
  const failed = (
    (await (
      isPlain
        ? runScript(wire, "commit", names, args)
        : runText(wire, ordering.commit, [...names, ordering.indexOf(keys[0]!)], args)
    ).catch(refusing)) as unknown[]
  ).map(Number);
  if (failed.length > 0 && isUnsure()) throw unsure();
  if (failed[0] === 0) throw foreign(keys[failed[1]! - 1]!);
  return failed.length > 0
    ? { ok: false, failed: failed.map((place) => keys[place - 1]!) }
    : result;
}
