import { customRandom } from "nanoid";
import type { CommitCheck, CommitWrite, Entry, EntryPage, ListOptions, SetOptions } from "./api.ts";
import type { Operations, StoreCore } from "./core.ts";
import { KvError } from "./errors.ts";
import { type Guarded, guardOf } from "./guard.ts";
import { checkPrefix } from "./key.ts";
import { isolated } from "./isolated.ts";
import { Iteration } from "./iteration.ts";
import { batches, decodeCursor, encodeCursor, ordered, type Pair, whole } from "./listing.ts";
import { checkNoArguments } from "./no-arguments.ts";
import { checkOptions, checkWriteOptions } from "./options.ts";
import { formatVersion, isFresh, StoredRecord, versionOf } from "./record.ts";
import { dropExpired, pruneAll } from "./sweep.ts";
import type { CommitResult, Expires, MaybePromise, Write } from "./types.ts";

/** How many single operations a client without a way to do many is asked for at once. */
const ABREAST = 200;

/** The largest page whose values are read one by one. */
const SOME = 500;

// With the platform's own random bytes: those of nanoid want Node's Buffer, which a bundle for a worker may not have.
const newKey = customRandom("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", 24, (size) => crypto.getRandomValues(new Uint8Array(size)));

const noList = (what: string): KvError => new KvError("KV_INVALID_VALUE", `a list of ${what} is needed`);

/** The items of a list. A text is one item to everybody but JavaScript, and taken for a mistake. */
function many<T>(items: Iterable<T>, what = "keys"): T[] {
  if (Object(items) !== items || !(Symbol.iterator in items)) throw noList(what);
  return [...items];
}

/** Common options of many writes, and those of one write, which go first. */
function mergeOptions(common: SetOptions | undefined, own: SetOptions): SetOptions {
  checkWriteOptions(common);
  checkWriteOptions(own);
  return { ...common, ...Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined)) };
}

/** Of one key only the last write counts, whatever order the client writes in. */
const lastOfEach = (writes: readonly Write[]): Write[] => [...new Map(writes.map((write) => [write.key, write])).values()];

/** Does something with each item, a bounded number at a time. */
async function abreast<T, R>(items: readonly T[], work: (item: T) => MaybePromise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let i = 0; i < items.length; i += ABREAST) results.push(...(await Promise.all(items.slice(i, i + ABREAST).map(work))));
  return results;
}

const LIST_OPTIONS = ["prefix", "limit", "cursor", "reverse"];

/** The operations of one store. */
export function operations(core: StoreCore): Operations {
  const { connection, prefix, timeout, refuse, locate, recordOf, decode, stamp, expired, wrote, read, put } = core;
  const open = (): Guarded | Promise<Guarded> => guardOf(connection, timeout);
  const strip = (key: string): string => key.slice(prefix.length);

  const toEntry = ([key, record]: Pair): Entry<unknown> => ({
    key: strip(key),
    value: decode(record.value, key),
    version: versionOf(record),
    expires: record.expires,
    metadata: record.metadata,
  });

  async function entry(key: string): Promise<Entry<unknown> | null> {
    const full = locate(key);
    const record = await read(full);
    return record && toEntry([full, record]);
  }

  async function getMany(keys: Iterable<string>): Promise<unknown[]> {
    const full = many(keys).map((key) => locate(key));
    const adapter = await open();
    const records = await (adapter.getMany?.(full) ?? abreast(full, (key) => read(key)));
    const now = Date.now();
    const values: unknown[] = [];
    for (const [i, record] of records.entries()) {
      if (record !== null && !isFresh(record, now)) values.push(await expired(full[i]!, record));
      else values.push(record && decode(record.value, full[i]!));
    }
    return values;
  }

  async function writeAll(writes: readonly Write[]): Promise<void> {
    const adapter = await open();
    if (adapter.setMany === undefined) return void (await abreast(writes, ({ key, record }) => put(key, record, adapter)));
    await adapter.setMany(writes);
    await wrote(writes.length);
  }

  async function setMany(entries: Iterable<readonly [string, unknown, SetOptions?]>, options?: SetOptions): Promise<string[]> {
    const what = "pairs [key, value]";
    const pairs = many(entries, what);
    if (!pairs.every(Array.isArray)) throw noList(what);
    const writes = pairs.map(([key, value, own]) => {
      const merged = own === undefined ? options : mergeOptions(options, own);
      const full = locate(key, merged?.prefix);
      return { key: full, record: recordOf(full, value, merged, stamp()) };
    });
    await writeAll(lastOfEach(writes));
    return pairs.map(([key]) => key);
  }

  async function delMany(keys: Iterable<string>): Promise<string[]> {
    const list = many(keys);
    await writeAll(list.map((key) => ({ key: locate(key), record: null })));
    return list;
  }

  async function add(value: unknown, options?: SetOptions): Promise<string> {
    if (value === null || value === undefined) refuse(new KvError("KV_INVALID_VALUE", `add() cannot keep ${value}: only set() takes it, to delete`));
    const key = newKey();
    const inner = options?.prefix ?? "";
    const full = locate(key, inner);
    // A number may be the index that map() passes: it is no duration, and no mistake.
    const write = { key: full, record: recordOf(full, value, typeof options === "number" ? undefined : options, stamp()) };
    const adapter = await open();
    if (adapter.add !== undefined && write.record !== null) return adapter.add(prefix + inner, write.record);
    await writeAll([write]);
    return key;
  }

  async function commit(checks: Iterable<CommitCheck>, writes: Iterable<CommitWrite>): Promise<CommitResult> {
    const version = stamp();
    const what = "checks { key, version }";
    const checked = many(checks, what).map(({ key, version }) => {
      // No version is ever `undefined`: who tries again until the check holds would do so for ever.
      if (version === undefined) throw noList(what);
      return { key: locate(key), version };
    });
    const written = many(writes, "writes { key, value }").map(({ key, value, ...options }) => {
      const full = locate(key, options.prefix);
      return { key: full, record: recordOf(full, value, options, version) };
    });
    const adapter = await open();
    if (adapter.commit === undefined) return refuse(new KvError("KV_NOT_SUPPORTED", `${connection.source.type} offers no compare-and-set, so it cannot commit (supports.atomic is "no")`));
    const result = await adapter.commit(checked, lastOfEach(written), Date.now());
    if (!result.ok) return { ok: false, failed: result.failed.map(strip) };
    await wrote(written.length);
    // Deletions alone leave no record to read a version from.
    return { ok: true, version: result.version || (typeof version === "number" ? formatVersion(version) : version) };
  }

  async function touch(key: string, expires: Expires): Promise<boolean> {
    const full = locate(key);
    // Not "never" by mistake: that is said with null.
    if (expires === undefined) refuse(new KvError("KV_INVALID_EXPIRES", "touch() needs an expiry: null for never", { key: full }));
    for (;;) {
      // The deadline of a value that is not known yet.
      const target = recordOf(full, 0, { expires }, stamp());
      const adapter = await open();
      if (target !== null && adapter.touch !== undefined) return adapter.touch(full, target.expires);
      const record = await read(full);
      if (record === null) return false;
      const moved = target && new StoredRecord(record.value, target.expires, target.version, record.metadata);
      const write = { key: full, record: moved };
      if (adapter.commit === undefined) {
        await writeAll([write]);
        return true;
      }
      const { ok } = await adapter.commit([{ key: full, version: versionOf(record) }], [write], Date.now());
      if (ok) return true;
    }
  }

  /**
   * The fresh records in bounded batches; expired ones are removed in passing. The key that is the prefix itself belongs to
   * the store around this one: here it would be empty.
   */
  async function* fresh(values: boolean, within = prefix): AsyncGenerator<readonly Pair[], void, undefined> {
    const adapter = await open();
    for await (const batch of batches(adapter, whole(within), values)) {
      const now = Date.now();
      const present = batch.filter(([key, record]) => key !== prefix && isFresh(record, now));
      yield present;
      if (batch.some(([, record]) => !isFresh(record, now))) await dropExpired(adapter, within, batch, now);
      // Whoever closes the store ends what still runs.
      await open();
    }
  }

  async function* all(args: readonly unknown[]): AsyncGenerator<readonly Pair[], void, undefined> {
    try {
      checkNoArguments("iterate", args);
    } catch (error) {
      refuse(error);
    }
    yield* fresh(true);
  }

  function iterate(...args: unknown[]): AsyncGenerator<[string, never], void, undefined> {
    // The consumer may have taken its time since the batch was read.
    return new Iteration(all(args), ([key, record]: Pair) => (isFresh(record, record.expires === null ? 0 : Date.now()) ? [strip(key), decode(record.value, key)] : undefined));
  }

  async function collect<R>(values: boolean, take: (pair: Pair) => R, within = prefix): Promise<R[]> {
    const found: R[] = [];
    for await (const batch of fresh(values, within)) for (const pair of batch) found.push(take(pair));
    return found;
  }

  /** The pairs whose keys start with the filter, which they keep. */
  async function entries(filter: string): Promise<[string, unknown][]> {
    const take = ([key, record]: Pair): [string, unknown] => [strip(key), decode(record.value, key)];
    const within = prefix + checkPrefix(filter);
    const adapter = await open();
    if (adapter.entries === undefined) return collect(true, take, within);
    const found = await adapter.entries(within);
    const now = Date.now();
    await dropExpired(adapter, within, found, now);
    return found.filter(([key, record]) => key !== prefix && isFresh(record, now)).map(take);
  }

  async function list(options: ListOptions = {}): Promise<EntryPage<unknown>> {
    checkOptions(options, LIST_OPTIONS, "list()");
    const { prefix: inner = "", limit = 100, cursor = null, reverse = false } = options;
    if (!Number.isSafeInteger(limit) || limit < 1) throw new KvError("KV_INVALID_VALUE", "limit has to be a whole number from 1");
    const range = { prefix: prefix + checkPrefix(inner), reverse };
    const after = cursor === null ? null : decodeCursor(cursor, range, inner);
    const adapter = await open();
    // Without an order all records are passed: for a page of some the values of the others are left alone.
    const values = adapter.page !== undefined || limit > SOME;
    // One more than asked for tells whether there is another page.
    const found = await ordered(adapter, { ...range, after }, limit + 1, prefix, values, (batch, now) => dropExpired(adapter, range.prefix, batch, now));
    const page = found.slice(0, limit);
    const filled = values ? page : await abreast(page, async ([key, record]) => [key, record.value === null ? await read(key) : isolated(record)] as const);
    // What was deleted since is left out.
    return { entries: filled.filter((pair): pair is Pair => pair[1] !== null).map(toEntry), cursor: found.length > limit ? encodeCursor(page[limit - 1]![0], range, inner) : null };
  }

  async function clear(...args: unknown[]): Promise<void> {
    checkNoArguments("clear", args);
    const adapter = await open();
    if (adapter.clear !== undefined) return adapter.clear(prefix);
    // Deleting while listing may hide keys from some clients: listed again for as long as that leaves fewer.
    for (let before = Infinity, found = 0; ; before = found) {
      found = 0;
      for await (const batch of batches(adapter, whole(prefix), false)) {
        const keys = batch.map(([key]) => key).filter((key) => key !== prefix);
        found += keys.length;
        await writeAll(keys.map((key) => ({ key, record: null })));
      }
      if (found === 0 || found >= before) return;
    }
  }

  return {
    add,
    getMany,
    setMany,
    delMany,
    entry,
    touch,
    async keys(...args) {
      checkNoArguments("keys", args);
      const adapter = await open();
      return adapter.keys === undefined ? collect(false, ([key]) => strip(key)) : (await adapter.keys(prefix)).map(strip).filter(Boolean);
    },
    async values(...args) {
      checkNoArguments("values", args);
      const adapter = await open();
      return adapter.values === undefined ? collect(true, ([key, record]) => decode(record.value, key)) : (await adapter.values(prefix)).map((value) => decode(value, prefix));
    },
    async entries(...args) {
      checkNoArguments("entries", args);
      return entries("");
    },
    async all(filter = "") {
      // fromEntries makes own properties, so that a key such as "__proto__" is one like any other.
      return Object.fromEntries(await entries(filter));
    },
    list,
    iterate,
    commit,
    clear,
    async prune(...args) {
      checkNoArguments("prune", args);
      return pruneAll(await open(), prefix);
    },
  };
}
