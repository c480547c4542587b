import type { KeyedLock } from "../../concurrency/keyed-lock.ts";
import { failedChecks, isFresh } from "../../record/freshness.ts";
import { decodeRecord, encodeRecord, recordIn } from "../../record/text-format.ts";
import { committed } from "./all-or-nothing.ts";
import { noteAfter } from "./dated-writes.ts";
import { deadlinesOf } from "./deadlines.ts";
import type { CommitResult } from "../../types.ts";
import { type Adapter, PAGE_LENGTH } from "../adapter.ts";
import type { Check, KvRecord, Write } from "../../record/types.ts";

/**
 * One change: the text of a full key, and its deadline; no text (`undefined` or `null`) deletes.
 */
export interface ItemWrite {
  readonly key: string;
  readonly item: unknown;
  /** The deadline in milliseconds since 1970, or `null`. */
  readonly expires: number | null;
}

/**
 * A client that keeps items by key and promises nothing about several of them: what another library
 * offers over its backends.
 */
export interface Items {
  /**
   * What is kept under these keys, in their order; `undefined` or `null` for nothing, something
   * else than a text for what is not ours.
   */
  read(keys: readonly string[]): Promise<readonly unknown[]>;
  write(writes: readonly ItemWrite[]): Promise<void>;
  /** Every full key under the prefix once, with its item. */
  list(prefix: string): AsyncIterable<readonly [key: string, item: unknown]>;
  close(): Promise<void>;
}

/**
 * For how much longer than the record the backend is told to keep it: what is found expired is
 * removed by the store, which checks that it was not replaced.
 */
export const KEPT_MS: number = 60_000;

/**
 * Stands for a foreign item that cannot be read. It is not absent.
 */
export const UNREADABLE = false;

const toItem = ({ key, record }: Write): ItemWrite => ({
  key,
  item: record && encodeRecord(record),
  expires: record?.expires ?? null,
});

const unlocked: KeyedLock = async (_keys, task) => task();

/**
 * The adapter over such a client: records in the text form. The store keeps the order of calls, so
 * that a commit holds in this process. Where a listing may meet a value that is half written, all
 * calls take a lock. Adapters with the same `owner` share what is known of deadlines.
 */
export function adapterOf(
  items: Items,
  lock: KeyedLock = unlocked,
  owner: object = items,
): Adapter {
  const deadlines = deadlinesOf(owner);
  async function getMany(keys: readonly string[], values = true): Promise<(KvRecord | null)[]> {
    const found = keys.length === 0 ? [] : await items.read(keys);
    return found.map((item, i) => recordIn(item, keys[i]!, values));
  }
  const write = (writes: readonly Write[]): Promise<void> =>
    noteAfter(deadlines, writes, () => items.write(writes.map(toItem)));
  const setMany = (writes: readonly Write[]): Promise<void> =>
    lock(
      writes.map(({ key }) => key),
      () => write(writes),
    );

  async function commit(
    checks: readonly Check[],
    writes: readonly Write[],
    now: number,
  ): Promise<CommitResult> {
    const records = await getMany(
      checks.map(({ key }) => key),
      false,
    );
    const failed = failedChecks(checks, (_key, place) => records[place]!, now);
    if (failed.length > 0) return { ok: false, failed };
    if (writes.length > 0) await writeTogether(items, writes, write);
    return committed(writes);
  }

  return {
    deadlines,
    get: (key) => lock([key], async () => (await getMany([key]))[0]!),
    has: (key, now) => lock([key], async () => isFresh((await getMany([key], false))[0]!, now)),
    getMany: (keys) => lock(keys, () => getMany(keys)),
    set: (key, record) => setMany([{ key, record }]),
    del: (key) => setMany([{ key, record: null }]),
    setMany: async (writes) => void (writes.length > 0 && (await setMany(writes))),
    async *iterate(prefix, values) {
      let length = 0;
      for await (const [key, item] of items.list(prefix)) {
        const record = typeof item === "string" ? decodeRecord(item, key, values) : null;
        if (record === null) continue;
        yield [key, record];
        if (!values || (length += (item as string).length) < PAGE_LENGTH) continue;
        // Enough for now.
        yield null;
        length = 0;
      }
    },
    commit: (checks, writes, now) =>
      lock(
        [...checks, ...writes].map(({ key }) => key),
        () => commit(checks, writes, now),
      ),
    close: () => items.close(),
  };
}

const expiresOf = (item: unknown, key: string): number | null =>
  typeof item === "string" ? (decodeRecord(item, key, false)?.expires ?? null) : null;

/** Makes all writes. When one fails, those before it are taken back if the backend answers. */
async function writeTogether(
  items: Items,
  writes: readonly Write[],
  write: (writes: readonly Write[]) => Promise<void>,
): Promise<void> {
  if (writes.length < 2) return write(writes);
  const keys = writes.map(({ key }) => key);
  const before = await items.read(keys);
  try {
    await write(writes);
  } catch (error) {
    const restored = keys
      .map((key, i) => ({ key, item: before[i], expires: expiresOf(before[i], key) }))
      .filter(({ item }) => item !== UNREADABLE);
    await items.write(restored).catch(() => undefined);
    throw error;
  }
}
