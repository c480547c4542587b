import { customAlphabet } from "nanoid";
import type { Codec, CommitCheck, CommitWrite, Entry, EntryPage, KvOptions, ListOptions, SetOptions, Store } from "./api.ts";
import type { Connection } from "./connection.ts";
import { blame, KvError } from "./errors.ts";
import { deadline } from "./expires.ts";
import { checkPrefix, fullKey } from "./key.ts";
import { batches, decodeCursor, encodeCursor, ordered, type Pair, type Range } from "./listing.ts";
import { formatVersion, isFresh, nextStamp, StoredRecord, timedStamp, versionOf } from "./record.ts";
import { evict, pruneAll, Sweeper } from "./sweep.ts";
import type { Adapter, CommitResult, Expires, Json, KvRecord, Write } from "./types.ts";
import { checkedCopy } from "./value.ts";

const CONTEXT: unique symbol = Symbol.for("anykv.store") as never;

/** What a store is made of. */
export interface StoreContext {
  readonly connection: Connection;
  readonly sweeper: Sweeper;
  readonly prefix: string;
  readonly expires: Expires;
  readonly codec: Codec | undefined;
}

/** The context of a store of this library (another bundle's too); `undefined` for anything else. */
export function contextOf(input: unknown): StoreContext | undefined {
  return typeof input === "object" && input !== null ? (input as { [CONTEXT]?: StoreContext })[CONTEXT] : undefined;
}

/** A store over a connection. */
export function overConnection<V>(connection: Connection, options: KvOptions<V>): Store<V> {
  return derived({ connection, sweeper: new Sweeper(), prefix: "", expires: null, codec: undefined }, options);
}

/** A store with a longer prefix, or another default expiry or codec, over the same connection. */
export function derived<V>(context: StoreContext, { prefix = "", expires = context.expires, codec = context.codec as Codec<V> | undefined }: KvOptions<V>): Store<V> {
  deadline(expires, 0);
  return createStore({ ...context, prefix: context.prefix + checkPrefix(prefix), expires, codec: codec as Codec | undefined });
}

const newKey = customAlphabet("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", 24);

function createStore<V>(context: StoreContext): Store<V> {
  const { connection, sweeper, prefix, codec } = context;

  const open = (): Adapter | Promise<Adapter> => connection.adapter ?? connection.open();
  const refuse = (error: unknown, key?: unknown): never => {
    throw blame(error, connection.source.type, "work", typeof key === "string" ? key : undefined);
  };

  // The checks that need no client: all of them are made before a client is touched.

  function locate(key: unknown, inner = ""): string {
    try {
      return fullKey(inner === "" ? prefix : prefix + checkPrefix(inner), key, connection.source.supports.keyBytes);
    } catch (error) {
      return refuse(error, key);
    }
  }

  /** The record to write, `null` to delete. Its value is a copy of the caller's. */
  function recordOf(value: unknown, options: SetOptions | undefined, version: string | number): StoredRecord | null {
    try {
      const expires = options?.expires === undefined ? context.expires : options.expires;
      const now = expires === null ? 0 : Date.now();
      const at = deadline(expires, now);
      const metadata = options?.metadata === undefined ? null : checkedCopy(options.metadata, "metadata");
      if (value === null || value === undefined || (at !== null && at <= now)) return null;
      return new StoredRecord(encode(value), at, version, metadata);
    } catch (error) {
      return refuse(error);
    }
  }

  function encode(value: unknown): Json {
    if (codec === undefined) return checkedCopy(value);
    try {
      value = codec.encode(value);
    } catch (cause) {
      throw new KvError("KV_INVALID_VALUE", "the codec cannot encode this value", { cause });
    }
    return checkedCopy(value, "the encoded value");
  }

  function decode<T>(value: Json, key: string): T {
    if (codec === undefined) return value as T;
    try {
      return codec.decode(value) as T;
    } catch (cause) {
      return refuse(new KvError("KV_CORRUPT", `the codec cannot decode the value under ${JSON.stringify(key)}`, { key, cause }));
    }
  }

  // Only data that outlives the process needs versions that are ordered across processes.
  const stamp = (): string | number => (connection.source.supports.persistent ? formatVersion(timedStamp()) : nextStamp());

  // Reading.

  async function expired(adapter: Adapter, key: string, record: KvRecord): Promise<null> {
    // The reader is told the truth either way; a client that refuses to delete is asked again by the next reader.
    await evict(adapter, key, record).catch(() => false);
    return null;
  }

  async function read(key: string): Promise<KvRecord | null> {
    const adapter = connection.adapter ?? (await open());
    const found = adapter.get(key);
    const record = found instanceof Promise ? await found : found;
    if (record === null || isFresh(record, record.expires === null ? 0 : Date.now())) return record;
    return expired(adapter, key, record);
  }

  async function get<T = V>(key: string): Promise<T | null> {
    const full = locate(key);
    const adapter = connection.adapter ?? (await open());
    const found = adapter.get(full);
    const record = found instanceof Promise ? await found : found;
    if (record === null) return null;
    if (record.expires !== null && record.expires <= Date.now()) return expired(adapter, full, record);
    return codec === undefined ? (record.value as T) : decode<T>(record.value, full);
  }

  async function getMany<T = V>(keys: Iterable<string>): Promise<(T | null)[]> {
    const full = Array.from(keys, (key) => locate(key));
    const adapter = await open();
    const records = await (adapter.getMany?.(full) ?? Promise.all(full.map((key) => adapter.get(key))));
    const now = Date.now();
    return Promise.all(
      records.map((record, i) => {
        if (record === null) return null;
        return isFresh(record, now) ? decode<T>(record.value, full[i]!) : expired(adapter, full[i]!, record);
      }),
    );
  }

  const entryOf = <T>([key, record]: Pair): Entry<T> => ({
    key: key.slice(prefix.length),
    value: decode<T>(record.value, key),
    version: versionOf(record),
    expires: record.expires,
    metadata: record.metadata,
  });

  async function entry<T = V>(key: string): Promise<Entry<T> | null> {
    const full = locate(key);
    const record = await read(full);
    return record && entryOf<T>([full, record]);
  }

  async function has(key: string): Promise<boolean> {
    const full = locate(key);
    try {
      const adapter = await open();
      return await (adapter.has?.(full, Date.now()) ?? read(full).then((record) => record !== null));
    } catch (error) {
      if ((error as KvError).code === "KV_FOREIGN") return false;
      throw error;
    }
  }

  // Writing.

  // Answers with a promise only for what takes time, so that a client that answers at once costs a single one.
  function put(adapter: Adapter, key: string, record: StoredRecord | null): Promise<void> | undefined {
    const done = record === null ? adapter.del(key) : adapter.set(key, record);
    return done instanceof Promise ? done.then(() => sweeper.wrote(adapter)) : sweeper.wrote(adapter);
  }

  async function set(key: string, value: unknown, options?: SetOptions): Promise<string> {
    const full = locate(key, options?.prefix);
    const record = recordOf(value, options, stamp());
    const pending = put(connection.adapter ?? (await open()), full, record);
    if (pending !== undefined) await pending;
    return key;
  }

  async function del(key: string): Promise<string> {
    const full = locate(key);
    await put(await open(), full, null);
    return key;
  }

  async function add(value: unknown, options?: SetOptions): Promise<string> {
    if (value === null || value === undefined) refuse(new KvError("KV_INVALID_VALUE", `add() cannot keep ${value}: only set() takes it, to delete`));
    const key = newKey();
    const adapter = await open();
    if (adapter.add === undefined) return set(key, value, options);
    const record = recordOf(value, options, stamp());
    return record === null ? key : adapter.add(prefix + checkPrefix(options?.prefix ?? ""), record);
  }

  async function writeAll(writes: readonly Write[]): Promise<void> {
    const adapter = await open();
    await (adapter.setMany?.(writes) ?? Promise.all(writes.map(({ key, record }) => (record === null ? adapter.del(key) : adapter.set(key, record)))));
    await sweeper.wrote(adapter, writes.length);
  }

  async function setMany(entries: Iterable<readonly [string, unknown]>, options?: SetOptions): Promise<string[]> {
    const pairs = [...entries];
    const writes = pairs.map(([key, value]) => ({ key: locate(key, options?.prefix), record: recordOf(value, options, stamp()) }));
    // Of one key only the last write counts, whatever order the client writes in.
    await writeAll([...new Map(writes.map((write) => [write.key, write])).values()]);
    return pairs.map(([key]) => key);
  }

  async function delMany(keys: Iterable<string>): Promise<string[]> {
    const list = [...keys];
    await writeAll(list.map((key) => ({ key: locate(key), record: null })));
    return list;
  }

  async function commit(checks: Iterable<CommitCheck>, writes: Iterable<CommitWrite>): Promise<CommitResult> {
    const version = stamp();
    const checked = Array.from(checks, (check) => ({ key: locate(check.key), version: check.version }));
    const written = Array.from(writes, ({ key, value, ...options }) => ({ key: locate(key, options.prefix), record: recordOf(value, options, version) }));
    const adapter = await open();
    const { type, supports } = connection.source;
    if (adapter.commit === undefined) throw new KvError("KV_NOT_SUPPORTED", `${type} offers no compare-and-set (supports.atomic is "${supports.atomic}")`, { client: type });
    const result = await adapter.commit(checked, written, Date.now());
    if (!result.ok) return { ok: false, failed: result.failed.map((key) => key.slice(prefix.length)) };
    await sweeper.wrote(adapter, written.length);
    return result;
  }

  async function touch(key: string, expires: Expires): Promise<boolean> {
    const full = locate(key);
    for (;;) {
      const found = recordOf(0, { expires }, stamp());
      const adapter = await open();
      if (found !== null && adapter.touch !== undefined) return adapter.touch(full, found.expires);
      const record = await read(full);
      if (record === null) return false;
      const moved = found && new StoredRecord(record.value, found.expires, found.version, record.metadata);
      if (adapter.commit === undefined) {
        await (moved === null ? adapter.del(full) : adapter.set(full, moved));
        return true;
      }
      const result = await adapter.commit([{ key: full, version: versionOf(record) }], [{ key: full, record: moved }], Date.now());
      if (result.ok) return true;
    }
  }

  // Listing.

  const everything: Range = { prefix, after: null, reverse: false };

  /** The fresh records in bounded batches; expired ones are removed in passing. */
  async function* fresh(values: boolean): AsyncGenerator<readonly Pair[], void, undefined> {
    try {
      const adapter = await open();
      for await (const batch of batches(adapter, everything, values)) {
        const now = Date.now();
        const present = batch.filter(([, record]) => isFresh(record, now));
        yield present;
        if (present.length === batch.length) continue;
        if (adapter.prune !== undefined) await adapter.prune({ prefix, now, limit: Infinity });
        else for (const [key, record] of batch) if (!isFresh(record, now)) await expired(adapter, key, record);
      }
    } catch (error) {
      refuse(error);
    }
  }

  async function* iterate<T = V>(): AsyncGenerator<[key: string, value: T], void, undefined> {
    for await (const batch of fresh(true)) {
      for (const [key, record] of batch) {
        // The consumer may have taken its time since the batch was read.
        if (record.expires === null || record.expires > Date.now()) yield [key.slice(prefix.length), decode<T>(record.value, key)];
      }
    }
  }

  async function collect<R>(values: boolean, take: (pair: Pair) => R): Promise<R[]> {
    const all: R[] = [];
    for await (const batch of fresh(values)) for (const pair of batch) all.push(take(pair));
    return all;
  }

  async function keys(): Promise<string[]> {
    const adapter = await open();
    if (adapter.keys !== undefined) return (await adapter.keys(prefix)).map((key) => key.slice(prefix.length));
    return collect(false, ([key]) => key.slice(prefix.length));
  }

  async function values<T = V>(): Promise<T[]> {
    const adapter = await open();
    if (adapter.values !== undefined) return (await adapter.values(prefix)).map((value) => decode<T>(value, prefix));
    return collect(true, ([key, record]) => decode<T>(record.value, key));
  }

  async function entries<T = V>(): Promise<[string, T][]> {
    const adapter = await open();
    const take = ([key, record]: Pair): [string, T] => [key.slice(prefix.length), decode<T>(record.value, key)];
    if (adapter.entries === undefined) return collect(true, take);
    const now = Date.now();
    return (await adapter.entries(prefix)).filter(([, record]) => isFresh(record, now)).map(take);
  }

  async function all<T = V>(filter = ""): Promise<{ [key: string]: T }> {
    const found = await createStore<V>({ ...context, prefix: prefix + checkPrefix(filter) }).entries<T>();
    // fromEntries makes own properties, so that a key such as "__proto__" is one like any other.
    return Object.fromEntries(found.map(([key, value]) => [filter + key, value]));
  }

  async function list<T = V>({ prefix: inner = "", limit = 100, cursor = null, reverse = false }: ListOptions = {}): Promise<EntryPage<T>> {
    try {
      if (!Number.isSafeInteger(limit) || limit < 1) throw new KvError("KV_INVALID_VALUE", "limit has to be a whole number from 1");
      const range = { prefix: prefix + checkPrefix(inner), reverse };
      const after = cursor === null ? null : decodeCursor(cursor, range);
      // One more than asked for tells whether there is another page.
      const found = await ordered(await open(), { ...range, after }, limit + 1);
      const page = found.slice(0, limit);
      return { entries: page.map((pair) => entryOf<T>(pair)), cursor: found.length > limit ? encodeCursor(page[limit - 1]![0], reverse) : null };
    } catch (error) {
      return refuse(error);
    }
  }

  async function clear(): Promise<void> {
    const adapter = await open();
    if (adapter.clear !== undefined) return adapter.clear(prefix);
    // Deleting while listing may hide keys from some clients: listed again until nothing is left of what was there.
    for (let found = true; found; ) {
      found = false;
      for await (const batch of batches(adapter, everything, false)) {
        found ||= batch.length > 0;
        await writeAll(batch.map(([key]) => ({ key, record: null })));
      }
    }
  }

  async function prune(): Promise<number> {
    return pruneAll(await open(), prefix);
  }

  const store: Store<V> & { readonly [CONTEXT]: StoreContext } = {
    [CONTEXT]: context,
    get type() {
      return connection.source.type;
    },
    get supports() {
      return connection.source.supports;
    },
    get,
    set,
    add,
    has,
    del,
    getMany,
    setMany,
    delMany,
    entry,
    touch,
    keys,
    values,
    entries,
    all,
    list,
    iterate,
    [Symbol.asyncIterator]: () => iterate<V>(),
    clear,
    prune,
    close: () => connection.close(),
    commit,
    prefix: (inner = "") => derived<V>(context, { prefix: inner }),
    expires: (expires) => derived<V>(context, { expires }),
  };
  return store;
}
