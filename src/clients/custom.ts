import type { CustomClient, CustomSetOptions } from "./client.ts";
import { KvError } from "../errors.ts";
import { CUSTOM, expiresItself } from "./manifests.ts";
import { StoredRecord } from "../record/record.ts";
import { failedChecks } from "../record/freshness.ts";
import { committed } from "./shared/all-or-nothing.ts";
import { noteAfter } from "./shared/dated-writes.ts";
import { type Deadlines, deadlinesOf } from "./shared/deadlines.ts";
import type { CommitResult, Json, MaybePromise } from "../types.ts";
import { copyOf } from "../record/json.ts";
import { type ClientFactory, defineClient } from "./define.ts";
import type { Check, KvRecord, Write } from "../record/types.ts";
import type { Adapter } from "./adapter.ts";
import { foreign } from "../record/text-format.ts";
import { observe } from "../record/version.ts";

export type { CustomClient, CustomSetOptions } from "./client.ts";

type Pairs = Iterable<readonly [string, unknown]> | AsyncIterable<readonly [string, unknown]>;

type OptionalMethods = Partial<Adapter>;

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

/** A record as plain JSON, for a client without `EXPIRES`: see docs/format.md. */
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

/** The records in a client of the user. */
class CustomRecords {
  readonly #client: CustomClient;
  readonly #native: boolean;
  readonly #deadlines: Deadlines;
  /** Whether the client is known to keep records. A client that keeps texts would lose them. */
  #isProven: boolean;

  constructor(client: CustomClient, native: boolean, deadlines: Deadlines) {
    this.#client = client;
    this.#native = native;
    this.#deadlines = deadlines;
    this.#isProven = native;
  }

  #recordOf(key: string, item: unknown): StoredRecord | null {
    return this.#native ? bare(item) : unwrap(key, item);
  }

  itemOf(record: KvRecord): Json {
    return this.#native ? record.value : wrap(record);
  }

  async get(key: string): Promise<KvRecord | null> {
    return this.#recordOf(key, await this.#client.get(key));
  }

  write(change: Write): Promise<void> {
    const { key, record } = change;
    const left = secondsLeft(record?.expires ?? null);
    return noteAfter(this.#deadlines, [change], () =>
      this.#put(key, record && this.itemOf(record), left),
    );
  }

  async #put(key: string, item: unknown, options: CustomSetOptions): Promise<void> {
    const client = this.#client;
    // An expired record is deleted: many clients take "0 seconds" for never.
    if (item !== null && item !== undefined && options.expires !== 0) {
      await client.set(key, item, options);
      if (!this.#isProven) await this.#prove(key);
    } else if (typeof client.del === "function") await client.del(key);
    else await client.set(key, null, { expires: 0 });
  }

  async #prove(key: string): Promise<void> {
    if (typeof (await this.#client.get(key)) === "string")
      throw new KvError(
        "KV_INVALID_CLIENT",
        "this client keeps texts: let its set() stringify the value, and its get() parse it",
        { key },
      );
    this.#isProven = true;
  }

  /** Checks and writes. Other writes of these keys wait: the store keeps the order of calls. */
  async commit(
    checks: readonly Check[],
    writes: readonly Write[],
    now: number,
  ): Promise<CommitResult> {
    const found = new Map<string, KvRecord | null>();
    for (const { key } of checks) found.set(key, await this.get(key));
    const failed = failedChecks(checks, (key) => found.get(key) ?? null, now);
    if (failed.length > 0) return { ok: false, failed };
    await this.#writeTogether(writes);
    return committed(writes);
  }

  /** Writes one after the other. When one fails, those before it are taken back. */
  async #writeTogether(writes: readonly Write[]): Promise<void> {
    const done: [key: string, before: unknown][] = [];
    try {
      for (const change of writes) {
        const before = await this.#client.get(change.key);
        await this.write(change);
        done.push([change.key, before]);
      }
    } catch (error) {
      const left = (before: unknown): CustomSetOptions =>
        secondsLeft((before as Partial<KvRecord> | null)?.expires ?? null);
      // The caller gets the first error. A failure to restore one key must not keep the others.
      for (const [key, before] of done.reverse())
        await this.#put(key, before, left(before)).catch(() => {});
      throw error;
    }
  }

  /** The records among the pairs of a listing. */
  async *listed(
    from: MaybePromise<Pairs>,
    prefix: string,
  ): AsyncGenerator<readonly [string, KvRecord]> {
    for await (const [key, item] of await from) {
      const isOwn =
        typeof key === "string" &&
        key.startsWith(prefix) &&
        (this.#native || Object(item).kv === 1);
      const record = isOwn ? this.#recordOf(key, item) : null;
      if (record !== null) yield [key, record];
    }
  }
}

/** The methods that depend on what the client offers. */
function offered(
  client: CustomClient,
  records: CustomRecords,
  deadlines: Deadlines,
): OptionalMethods {
  const can = (name: keyof CustomClient): boolean => typeof client[name] === "function";
  return {
    iterate:
      can("iterate") || can("entries")
        ? (prefix) =>
            records.listed(
              can("iterate") ? client.iterate!(prefix) : client.entries!(prefix),
              prefix,
            )
        : undefined,
    // A clear() without a parameter would also remove foreign items: it is not used.
    clear:
      can("clear") && client.clear!.length > 0
        ? async (prefix) => void (await client.clear!(prefix))
        : undefined,
    close: can("close")
      ? async () => {
          connections.delete(client);
          await client.close!();
        }
      : undefined,
    add: can("add")
      ? (prefix, record) =>
          noteAfter(deadlines, [{ key: prefix, record }], async () =>
            client.add!(prefix, records.itemOf(record), secondsLeft(record.expires)),
          )
      : undefined,
    entries: can("entries")
      ? async (prefix) => {
          const all: (readonly [string, KvRecord])[] = [];
          for await (const pair of records.listed(client.entries!(prefix), prefix)) all.push(pair);
          return all;
        }
      : undefined,
  };
}

/** Only a client that drops expired values itself can list keys or values without the records. */
function offeredByNative(client: CustomClient): OptionalMethods {
  const can = (name: keyof CustomClient): boolean => typeof client[name] === "function";
  return {
    has: can("has") ? async (key) => Boolean(await client.has!(key)) : undefined,
    keys: can("keys")
      ? async (prefix) => [...(await client.keys!(prefix))].filter((key) => key.startsWith(prefix))
      : undefined,
    values: can("values")
      ? async (prefix) => Array.from(await client.values!(prefix), (value) => copyOf(value as Json))
      : undefined,
  };
}

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
    const deadlines = deadlinesOf(client);
    const records = new CustomRecords(client, native, deadlines);
    const adapter: Adapter = {
      deadlines,
      get: (key) => records.get(key),
      set: (key, record) => records.write({ key, record }),
      del: (key) => records.write({ key, record: null }),
      ...offered(client, records, deadlines),
      ...(native
        ? offeredByNative(client)
        : {
            commit: (checks: readonly Check[], writes: readonly Write[], now: number) =>
              records.commit(checks, writes, now),
          }),
    };
    return typeof client.connect === "function" ? connected(client).then(() => adapter) : adapter;
  },
});
