import type { KvRecord, Write } from "../../record/types.ts";
import { rejecting } from "./errors.ts";
import { encodeRecordText } from "./record.ts";
import { runScript } from "./scripts.ts";
import { bySlot } from "./slot.ts";
import type { RedisCommand, RedisWire } from "./wire.ts";

/**
 * Groups of keys that one command may name together: those of one slot, on a cluster. They stand as
 * they do in commands; `places` says where in the list they were.
 */
function together(
  wire: RedisWire,
  keys: readonly string[],
): { places: number[]; names: string[] }[] {
  if (keys.length === 0) return [];
  const groups = wire.isCluster
    ? bySlot(keys.map((key) => wire.prefix + key))
    : [keys.map((_, i) => i)];
  return groups.map((places) => ({
    places,
    names: places.map((place) => wire.before + keys[place]!),
  }));
}

/** The answers of a command on many keys, in the order of the keys. */
async function each(
  wire: RedisWire,
  keys: readonly string[],
  ask: (groups: string[][]) => Promise<unknown[]>,
): Promise<unknown[]> {
  const groups = together(wire, keys);
  const replies = (await ask(groups.map(({ names }) => names))) as unknown[][];
  if (groups.length === 1) return replies[0]!;
  const all: unknown[] = [...keys];
  groups.forEach(({ places }, i) => places.forEach((place, j) => (all[place] = replies[i]![j])));
  return all;
}

/** The texts under keys: `null` for an absent one, and for another type. */
export async function textsOf(wire: RedisWire, keys: readonly string[]): Promise<unknown[]> {
  return each(wire, keys, (groups) =>
    wire.sendAll(groups.map((names) => [names[0]!, ["MGET", ...names]])),
  );
}

/** The beginnings of the same, long enough for the heads of records. */
export async function headsOf(wire: RedisWire, keys: readonly string[]): Promise<unknown[]> {
  return each(wire, keys, (groups) =>
    Promise.all(groups.map((names) => runScript(wire, "heads", names, []))),
  );
}

/** The commands that delete keys. */
export function unlinking(
  wire: RedisWire,
  keys: readonly string[],
): [key: string, command: RedisCommand][] {
  return together(wire, keys).map(({ names }) => [names[0]!, ["UNLINK", ...names]]);
}

/** The command that writes a record. */
export function settingOf(wire: RedisWire, key: string, record: KvRecord): RedisCommand {
  const set = ["SET", wire.before + key, encodeRecordText(record, key)] as const;
  return record.expires === null ? set : [...set, "PXAT", String(record.expires)];
}

export async function setManyInRedis(wire: RedisWire, writes: readonly Write[]): Promise<void> {
  const commands = writes.flatMap(({ key, record }): [string, RedisCommand][] =>
    record === null ? [] : [[wire.before + key, settingOf(wire, key, record)]],
  );
  const gone = writes.filter(({ record }) => record === null).map(({ key }) => key);
  await wire.sendAll([...commands, ...unlinking(wire, gone)]).catch(rejecting());
}
