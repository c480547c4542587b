import { keyedLock, type KeyedLock } from "../lock.ts";
import { CUSTOM } from "../manifest.ts";
import { failedChecks, foreign, StoredRecord, versionOf } from "../record.ts";
import type { Adapter, Json, KvRecord, MaybePromise, Write } from "../types.ts";
import { copyOf } from "../value.ts";
import { type ClientFactory, defineClient } from "./define.ts";

/** What `set` and `add` of a custom client are told: the remaining seconds, or `null` for never. */
export interface CustomSetOptions {
  expires: number | null;
}

type Pairs = Iterable<readonly [string, unknown]> | AsyncIterable<readonly [string, unknown]>;

/**
 * A client of your own: `get` and `set` are needed, `iterate` to list. Every key and prefix arrives in full, and every key that
 * is handed back is in full too. Methods may answer at once or with a promise.
 */
export interface CustomClient {
  /** `true`: the client drops expired values itself and is handed bare values. Default `false`. */
  EXPIRES?: boolean;
  get(key: string): unknown;
  set(key: string, value: unknown, options: CustomSetOptions): unknown;
  iterate?(prefix: string): Pairs;
  add?(prefix: string, value: unknown, options: CustomSetOptions): MaybePromise<string>;
  has?(key: string): MaybePromise<boolean>;
  del?(key: string): unknown;
  entries?(prefix: string): MaybePromise<Iterable<readonly [string, unknown]>>;
  keys?(prefix: string): MaybePromise<Iterable<string>>;
  values?(prefix: string): MaybePromise<Iterable<unknown>>;
  clear?(prefix: string): unknown;
  close?(): unknown;
}

// Two stores over one client must see one lock.
const locks = new WeakMap<CustomClient, KeyedLock>();

/** What a client without `EXPIRES` is handed as its value: the record as plain JSON, as docs/format.md describes. */
function wrap({ version, expires, metadata, value }: KvRecord): Json {
  return { kv: 1, version: version as string, expires, ...(metadata === null ? {} : { metadata }), value };
}

function unwrap(key: string, item: unknown): StoredRecord | null {
  if (item === null || item === undefined) return null;
  const { kv, version, expires, metadata = null, value } = item as { kv?: unknown; version: string; expires: number | null; metadata?: Json; value?: Json };
  if (kv !== 1 || value === undefined) throw foreign(key);
  return new StoredRecord(copyOf(value), expires, version, copyOf(metadata));
}

function bare(item: unknown): StoredRecord | null {
  return item === null || item === undefined ? null : new StoredRecord(copyOf(item as Json), null, null, null);
}

const secondsLeft = (expires: number | null): CustomSetOptions => ({ expires: expires === null ? null : Math.max(0, expires - Date.now()) / 1000 });

/**
 * Puts a store over your own client. A missing key is `null` or `undefined` from its `get`. Without `EXPIRES` it is handed whole records and this
 * library judges their deadlines; with `EXPIRES` it is handed bare values and answers for expiry itself.
 *
 * @throws {KvError} KV_INVALID_CLIENT without `get` and `set`.
 * @example
 * import kv from "anykv";
 *
 * const data = new Map();
 * const store = kv({
 *   get: (key) => data.get(key),
 *   set: (key, value) => void data.set(key, value),
 *   del: (key) => void data.delete(key),
 *   *iterate(prefix) {
 *     for (const [key, value] of data) if (key.startsWith(prefix)) yield [key, value];
 *   },
 * });
 * await store.prefix("user:").set("ann", { age: 41 }, { expires: "1h" });
 * console.log(await store.keys()); // ["user:ann"]
 */
export const custom: ClientFactory<CustomClient, Record<never, never>> = defineClient({
  ...CUSTOM,
  open(client: CustomClient): Adapter {
    const native = client.EXPIRES === true;
    const read = (key: string, item: unknown): StoredRecord | null => (native ? bare(item) : unwrap(key, item));
    const give = (record: KvRecord): Json => (native ? record.value : wrap(record));
    const lock = locks.get(client) ?? keyedLock();
    locks.set(client, lock);

    const get = async (key: string): Promise<KvRecord | null> => read(key, await client.get(key));
    const write = async ({ key, record }: Write): Promise<void> => {
      if (record !== null) await client.set(key, give(record), secondsLeft(record.expires));
      else if (client.del === undefined) await client.set(key, null, { expires: 0 });
      else await client.del(key);
    };
    const pairs = (prefix: string): Pairs | Promise<Pairs> => (client.iterate === undefined ? client.entries!(prefix) : client.iterate(prefix));
    async function* iterate(prefix: string, from: MaybePromise<Pairs> = pairs(prefix)): AsyncGenerator<readonly [string, KvRecord]> {
      for await (const [key, item] of await from) {
        const record = key.startsWith(prefix) ? ours(key, item) : null;
        if (record !== null) yield [key, record];
      }
    }
    const ours = (key: string, item: unknown): KvRecord | null => {
      if (!native && (item as { kv?: unknown } | null)?.kv !== 1) return null;
      return read(key, item);
    };

    const adapter: Adapter = {
      get,
      set: (key, record) => lock([key], () => write({ key, record })),
      del: (key) => lock([key], () => write({ key, record: null })),
    };
    if (client.iterate !== undefined || client.entries !== undefined) adapter.iterate = (prefix) => iterate(prefix);
    if (client.clear !== undefined) adapter.clear = async (prefix) => void (await client.clear!(prefix));
    if (client.close !== undefined) adapter.close = async () => void (await client.close!());
    if (client.add !== undefined) adapter.add = async (prefix, record) => client.add!(prefix, give(record), secondsLeft(record.expires));
    if (client.entries !== undefined) {
      adapter.entries = async (prefix) => {
        const all: (readonly [string, KvRecord])[] = [];
        for await (const pair of iterate(prefix, client.entries!(prefix))) all.push(pair);
        return all;
      };
    }
    if (!native) {
      adapter.commit = (checks, writes, now) =>
        lock([...new Set([...checks, ...writes].map(({ key }) => key))], async () => {
          const found = new Map<string, KvRecord | null>();
          for (const { key } of checks) found.set(key, await get(key));
          const failed = failedChecks(checks, (key) => found.get(key) ?? null, now);
          if (failed.length > 0) return { ok: false, failed };
          for (const change of writes) await write(change);
          return { ok: true, version: writes.reduce((version, { record }) => (record === null ? version : (versionOf(record) ?? "")), "") };
        });
      return adapter;
    }
    // Only a client that drops expired values itself can list its keys without showing us each record.
    if (client.has !== undefined) adapter.has = async (key) => Boolean(await client.has!(key));
    if (client.keys !== undefined) adapter.keys = async (prefix) => [...(await client.keys!(prefix))];
    if (client.values !== undefined) adapter.values = async (prefix) => [...(await client.values!(prefix))] as Json[];
    return adapter;
  },
});
