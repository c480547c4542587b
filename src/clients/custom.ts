import type { CustomClient, CustomSetOptions } from "./client.ts";
import { KvError } from "../errors.ts";
import { CUSTOM, expiresItself } from "./manifests.ts";
import { StoredRecord } from "../record/record.ts";
import { failedChecks } from "../record/freshness.ts";
import { committed } from "./shared/all-or-nothing.ts";
import { noteAfter } from "./shared/dated-writes.ts";
import { deadlinesOf } from "./shared/deadlines.ts";
import type { Json, MaybePromise } from "../types.ts";
import { copyOf } from "../record/json.ts";
import { type ClientFactory, defineClient } from "./define.ts";
import type { KvRecord, Write } from "../record/types.ts";
import type { Adapter } from "./adapter.ts";
import { foreign } from "../record/text-format.ts";
import { observe } from "../record/version.ts";

export type { CustomClient, CustomSetOptions } from "./client.ts";

type Pairs = Iterable<readonly [string, unknown]> | AsyncIterable<readonly [string, unknown]>;

// Two stores over one client connect it once.
const connections = new WeakMap<CustomClient, Promise<unknown>>();

async function connected(client: CustomClient): Promise<void> {
  const connection = connections.get(client) ?? Promise.resolve(client.connect!());
  connections.set(client, connection);
  try {
    await connection;
  } catch (error) {
    connections.delete(client);
    throw error;
  }
}

/**
 * What a client without `EXPIRES` is handed as its value: the record as plain JSON, as
 * docs/format.md describes.
 */
function wrap({ version, expires, metadata, value }: KvRecord): Json {
  return {
    kv: 1,
    version: version as string,
    expires,
    ...(metadata === null ? {} : { metadata }),
    value,
  };
}

function unwrap(key: string, item: unknown): StoredRecord | null {
  if (item === null || item === undefined) return null;
  const {
    kv,
    version,
    expires,
    metadata = null,
    value,
  } = item as {
    kv?: unknown;
    version: string;
    expires: number | null;
    metadata?: Json;
    value?: Json;
  };
  if (kv !== 1 || value === undefined) throw foreign(key);
  if (typeof version === "string") observe(version);
  return new StoredRecord(copyOf(value), expires, version, copyOf(metadata));
}

function bare(item: unknown): StoredRecord | null {
  return item === null || item === undefined
    ? null
    : new StoredRecord(copyOf(item as Json), null, null, null);
}

const secondsLeft = (expires: number | null): CustomSetOptions => ({
  expires: expires === null ? null : Math.max(0, expires - Date.now()) / 1000,
});

/**
 * Puts a store over your own client. A missing key is `null` or `undefined` from its `get`. Without
 * `EXPIRES` it is handed whole records and this library judges their deadlines; with `EXPIRES` it
 * is handed bare values and answers for expiry itself.
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
  open(client: CustomClient): MaybePromise<Adapter> {
    const native = expiresItself(client);
    const can = (name: keyof CustomClient): boolean => typeof client[name] === "function";
    const read = (key: string, item: unknown): StoredRecord | null =>
      native ? bare(item) : unwrap(key, item);
    const give = (record: KvRecord): Json => (native ? record.value : wrap(record));

    const get = async (key: string): Promise<KvRecord | null> => read(key, await client.get(key));
    // A client that makes texts of what it is given would lose every record: the first one shows.
    let proven = native;
    const prove = async (key: string): Promise<void> => {
      const kept = await client.get(key);
      if (typeof kept === "string") {
        throw new KvError(
          "KV_INVALID_CLIENT",
          "this client keeps texts: let its set() stringify the value, and its get() parse it",
          { key },
        );
      }
      proven = true;
    };
    const put = async (key: string, item: unknown, options: CustomSetOptions): Promise<void> => {
      // A deadline that has passed by now is no "0 seconds": many clients take that for ever.
      if (item !== null && item !== undefined && options.expires !== 0) {
        await client.set(key, item, options);
        if (!proven) await prove(key);
      } else if (can("del")) await client.del!(key);
      else await client.set(key, null, { expires: 0 });
    };
    const deadlines = deadlinesOf(client);
    const write = (change: Write): Promise<void> => {
      const { key, record } = change;
      const left = secondsLeft(record?.expires ?? null);
      return noteAfter(deadlines, [change], () => put(key, record && give(record), left));
    };

    /** Writes one after the other; when one fails, those before it are taken back. */
    async function writeTogether(writes: readonly Write[]): Promise<void> {
      const done: [key: string, before: unknown][] = [];
      try {
        for (const change of writes) {
          const before = await client.get(change.key);
          await write(change);
          done.push([change.key, before]);
        }
      } catch (error) {
        const left = (before: unknown): CustomSetOptions =>
          secondsLeft((before as Partial<KvRecord> | null)?.expires ?? null);
        // The first error is the one to tell; what cannot be restored must not keep the rest from
        // it.
        for (const [key, before] of done.reverse())
          await put(key, before, left(before)).catch(() => {});
        throw error;
      }
    }

    async function* pairs(
      from: MaybePromise<Pairs>,
      prefix: string,
    ): AsyncGenerator<readonly [string, KvRecord]> {
      for await (const [key, item] of await from) {
        const isOurs =
          typeof key === "string" && key.startsWith(prefix) && (native || Object(item).kv === 1);
        const record = isOurs ? read(key, item) : null;
        if (record !== null) yield [key, record];
      }
    }

    const adapter: Adapter = {
      deadlines,
      get,
      set: (key, record) => write({ key, record }),
      del: (key) => write({ key, record: null }),
    };
    if (can("iterate") || can("entries"))
      adapter.iterate = (prefix) =>
        pairs(can("iterate") ? client.iterate!(prefix) : client.entries!(prefix), prefix);
    // A clear() without a parameter knows of no prefix, and would clear what is others': it is only
    // good for everything.
    if (can("clear") && client.clear!.length > 0)
      adapter.clear = async (prefix) => void (await client.clear!(prefix));
    if (can("close")) {
      adapter.close = async () => {
        connections.delete(client);
        await client.close!();
      };
    }
    if (can("add"))
      adapter.add = (prefix, record) =>
        noteAfter(deadlines, [{ key: prefix, record }], async () =>
          client.add!(prefix, give(record), secondsLeft(record.expires)),
        );
    if (can("entries")) {
      adapter.entries = async (prefix) => {
        const all: (readonly [string, KvRecord])[] = [];
        for await (const pair of pairs(client.entries!(prefix), prefix)) all.push(pair);
        return all;
      };
    }
    const open = can("connect") ? connected(client).then(() => adapter) : adapter;
    if (!native) {
      // Other writes of these keys wait for it: the store keeps the order of calls.
      adapter.commit = async (checks, writes, now) => {
        const found = new Map<string, KvRecord | null>();
        for (const { key } of checks) found.set(key, await get(key));
        const failed = failedChecks(checks, (key) => found.get(key) ?? null, now);
        if (failed.length > 0) return { ok: false, failed };
        await writeTogether(writes);
        return committed(writes);
      };
      return open;
    }
    // Only a client that drops expired values itself can list its keys without showing us each
    // record.
    if (can("has")) adapter.has = async (key) => Boolean(await client.has!(key));
    if (can("keys"))
      adapter.keys = async (prefix) =>
        [...(await client.keys!(prefix))].filter((key) => key.startsWith(prefix));
    if (can("values"))
      adapter.values = async (prefix) =>
        Array.from(await client.values!(prefix), (value) => copyOf(value as Json));
    return open;
  },
});
