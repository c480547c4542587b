import { customRandom } from "nanoid";
import type {
  CommitCheck,
  CommitWrite,
  Entry,
  EntryPage,
  ListOptions,
  SetOptions,
} from "../api.ts";
import type { ItemOperations, Operations, StoreContext } from "./context.ts";
import { isKvError, KvError } from "../errors.ts";
import { allowance, guard, guardOf, type Guarded } from "./guarded.ts";
import { checkPrefix } from "../prefix.ts";
import { itemsOf } from "./items.ts";
import { Iteration } from "../concurrency/batch-iterator.ts";
import {
  batches,
  decodeCursor,
  encodeCursor,
  ordered,
  type Pair,
  whole as wholeRange,
} from "./pages.ts";
import { checkNoArguments } from "./no-arguments.ts";
import { checkOptions, checkWriteOptions } from "../platform/options.ts";
import { isolated, StoredRecord } from "../record/record.ts";
import { dropExpired, pruneAll, type Swept } from "./sweep.ts";
import { lanesOf, type Scope } from "../concurrency/lanes.ts";
import { WHOLE } from "./perform.ts";
import type { CommitResult, Expires, MaybePromise } from "../types.ts";
import type { Write } from "../record/types.ts";
import { isFresh } from "../record/freshness.ts";
import { formatVersion, versionOf } from "../record/version.ts";

/** How many single operations a client without a way to do many is asked for at once. */
const ABREAST = 200;

/** The largest page whose values are read one by one. */
const SOME = 500;

// With the platform's own random bytes: those of nanoid want Node's Buffer, which a bundle for a
// worker may not have.
const newKey = customRandom(
  "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
  24,
  (size) => crypto.getRandomValues(new Uint8Array(size)),
);

const noList = (what: string): KvError =>
  new KvError("KV_INVALID_VALUE", `a list of ${what} is needed`);

/** The items of a list. A text is one item to everybody but JavaScript, and taken for a mistake. */
function toArray<T>(items: Iterable<T>, what = "keys"): T[] {
  if (Object(items) !== items || !(Symbol.iterator in items)) throw noList(what);
  return [...items];
}

/** Common options of many writes, and those of one write, which go first. */
function mergeOptions(common: SetOptions | undefined, own: SetOptions): SetOptions {
  checkWriteOptions(common);
  checkWriteOptions(own);
  return {
    ...common,
    ...Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined)),
  };
}

/** Of one key only the last write counts, whatever order the client writes in. */
const lastOfEach = (writes: readonly Write[]): Write[] => [
  ...new Map(writes.map((write) => [write.key, write])).values(),
];

/** Does something with each item, a bounded number at a time. */
async function mapLimit<T, R>(
  items: readonly T[],
  work: (item: T) => MaybePromise<R>,
): Promise<R[]> {
  const results: R[] = [];
  for (let i = 0; i < items.length; i += ABREAST)
    results.push(...(await Promise.all(items.slice(i, i + ABREAST).map(work))));
  return results;
}

/** Gets expired records of a listing. */
type Drop = (expired: readonly Pair[], now: number) => MaybePromise<void>;
const LIST_OPTIONS = ["prefix", "limit", "cursor", "reverse"];

/** A method over the whole store, which takes no argument. */
const whole =
  <T>(name: string, work: () => Promise<T>) =>
  async (...args: unknown[]): Promise<T> => {
    checkNoArguments(name, args);
    return work();
  };

/** The operations of one store. */
export function operations(context: StoreContext): Operations {
  const core = itemsOf(context);
  const {
    connection,
    prefix,
    timeout,
    refuse,
    locate,
    recordOf,
    decode,
    stamp,
    expired,
    wrote,
    read,
    readNow,
    writeNow,
    order,
  } = core;
  const sweptBy = (adapter: Guarded): Swept => ({ adapter, order: order(), timeout });
  const perform = <T>(
    scope: Scope,
    work: (adapter: Guarded) => MaybePromise<T>,
    times?: number,
    calls?: "one",
  ): MaybePromise<T> =>
    core.perform(scope, (adapter) => work(guard(connection, adapter, timeout)), times, calls);
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
    const full = toArray(keys).map((key) => locate(key));
    const records = await perform(
      { read: full },
      (adapter) => adapter.getMany?.(full) ?? mapLimit(full, (key) => readNow(key, adapter)),
      allowance(full),
    );
    const now = Date.now();
    const values: unknown[] = [];
    for (const [i, record] of records.entries()) {
      if (record !== null && !isFresh(record, now)) values.push(await expired(full[i]!, record));
      else values.push(record && decode(record.value, full[i]!));
    }
    return values;
  }

  async function writeAllNow(writes: readonly Write[], adapter: Guarded): Promise<void> {
    if (adapter.setMany !== undefined) return adapter.setMany(writes);
    await mapLimit(writes, ({ key, record }) => writeNow(key, record, adapter));
  }

  async function writeAll(writes: readonly Write[]): Promise<void> {
    await perform(
      { write: writes.map(({ key }) => key) },
      (adapter) => writeAllNow(writes, adapter),
      allowance(writes),
      "one",
    );
    await wrote(writes.length);
  }

  async function setMany(
    entries: Iterable<readonly [string, unknown, SetOptions?]>,
    options?: SetOptions,
  ): Promise<string[]> {
    const what = "pairs [key, value]";
    const pairs = toArray(entries, what);
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
    const list = toArray(keys);
    await writeAll(list.map((key) => ({ key: locate(key), record: null })));
    return list;
  }

  async function add(value: unknown, options?: SetOptions): Promise<string> {
    if (value === null || value === undefined)
      refuse(
        new KvError(
          "KV_INVALID_VALUE",
          `add() cannot keep ${value}: only set() takes it, to delete`,
        ),
      );
    if (typeof options === "string") {
      refuse(
        new KvError(
          "KV_INVALID_EXPIRES",
          'add() makes the key: write add(value, { expires: "1h" }), or set(key, value)',
        ),
      );
    }
    const key = newKey();
    const inner = options?.prefix ?? "";
    const full = locate(key, inner);
    // A number may be the index that map() passes: it is no duration, and no mistake.
    const write = {
      key: full,
      record: recordOf(full, value, typeof options === "number" ? undefined : options, stamp()),
    };
    const added = await perform({ write: [full] }, async (adapter) => {
      if (adapter.add !== undefined && write.record !== null)
        return adapter.add(prefix + inner, write.record);
      await writeAllNow([write], adapter);
      return key;
    });
    await wrote(1);
    return added;
  }

  async function commit(
    checks: Iterable<CommitCheck>,
    writes: Iterable<CommitWrite>,
  ): Promise<CommitResult> {
    const version = stamp();
    const what = "checks { key, version }";
    const checked = toArray(checks, what).map(({ key, version }) => {
      // No version is ever `undefined`: who tries again until the check holds would do so for ever.
      if (version === undefined) throw noList(what);
      return { key: locate(key), version };
    });
    const written = toArray(writes, "writes { key, value }").map(({ key, value, ...options }) => {
      const full = locate(key, options.prefix);
      return { key: full, record: recordOf(full, value, options, version) };
    });
    const touched = [...checked, ...written].map(({ key }) => key);
    const result = await perform(
      { write: touched },
      ({ commit }) => {
        if (commit === undefined)
          return refuse(
            new KvError(
              "KV_NOT_SUPPORTED",
              `${connection.source.type} offers no compare-and-set, so it cannot commit ` +
                `(supports.atomic is "no")`,
            ),
          );
        return commit(checked, lastOfEach(written), Date.now());
      },
      allowance(touched),
      "one",
    );
    if (!result.ok) return { ok: false, failed: result.failed.map(strip) };
    await wrote(written.length);
    // Deletions alone leave no record to read a version from.
    return {
      ok: true,
      version: result.version || (typeof version === "number" ? formatVersion(version) : version),
    };
  }

  async function touch(key: string, expires: Expires): Promise<boolean> {
    const full = locate(key);
    // Not "never" by mistake: that is said with null.
    if (expires === undefined)
      refuse(
        new KvError("KV_INVALID_EXPIRES", "touch() needs an expiry: null for never", { key: full }),
      );
    const isThere = await perform({ write: [full] }, (adapter) => touchNow(full, expires, adapter));
    await wrote(1);
    return isThere;
  }

  async function touchNow(full: string, expires: Expires, adapter: Guarded): Promise<boolean> {
    for (;;) {
      // The deadline of a value that is not known yet.
      const target = recordOf(full, 0, { expires }, stamp());
      if (target !== null && adapter.touch !== undefined)
        return adapter.touch(full, target.expires);
      const record = await readNow(full, adapter);
      if (!isFresh(record, Date.now())) return false;
      const moved =
        target && new StoredRecord(record.value, target.expires, target.version, record.metadata);
      const write = { key: full, record: moved };
      if (adapter.commit === undefined) {
        await writeAllNow([write], adapter);
        return true;
      }
      const { ok } = await adapter.commit(
        [{ key: full, version: versionOf(record) }],
        [write],
        Date.now(),
      );
      if (ok) return true;
    }
  }

  /**
   * The fresh records in bounded batches; `drop` gets those that have expired. The key that is the
   * prefix itself belongs to the store around this one: here it would be empty.
   */
  async function* fresh(
    adapter: Guarded,
    values: boolean,
    drop: Drop,
    within = prefix,
  ): AsyncGenerator<readonly Pair[], void, undefined> {
    for await (const batch of batches(adapter, wholeRange(within), values)) {
      const now = Date.now();
      yield batch.filter(([key, record]) => key !== prefix && isFresh(record, now));
      const expired = batch.filter(([, record]) => !isFresh(record, now));
      if (expired.length > 0) await drop(expired, now);
      // A store that was closed meanwhile ends the listing.
      await guardOf(connection, timeout);
    }
  }

  /** The same behind all writes that were called before. Later writes go on meanwhile. */
  async function* stream(
    args: readonly unknown[],
  ): AsyncGenerator<readonly Pair[], void, undefined> {
    try {
      checkNoArguments("iterate", args);
    } catch (error) {
      refuse(error);
    }
    const adapter = await guardOf(connection, timeout);
    await lanesOf(order()).settled(prefix);
    yield* fresh(adapter, true, (expired, now) =>
      dropExpired(sweptBy(adapter), prefix, expired, now),
    );
  }

  function iterate(...args: unknown[]): AsyncGenerator<[string, never], void, undefined> {
    // The consumer may have taken its time since the batch was read.
    return new Iteration(stream(args), ([key, record]: Pair) =>
      isFresh(record, record.expires === null ? 0 : Date.now())
        ? [strip(key), decode(record.value, key)]
        : undefined,
    );
  }

  /**
   * Lists in call order: behind earlier writes under the prefix, and before later ones. What it
   * finds expired is removed afterwards, as a write like others.
   */
  async function listing<T>(
    within: string,
    work: (adapter: Guarded, drop: Drop) => MaybePromise<T>,
  ): Promise<T> {
    const expired: Pair[] = [];
    const drop: Drop = (found) => {
      for (const [key, { expires, version }] of found)
        expired.push([key, new StoredRecord(null, expires, version, null)]);
    };
    const result = await perform({ readUnder: within }, (adapter) => work(adapter, drop), WHOLE);
    if (expired.length > 0)
      await dropExpired(sweptBy(await guardOf(connection, timeout)), within, expired, Date.now());
    return result;
  }

  async function collect<R>(
    adapter: Guarded,
    values: boolean,
    take: (pair: Pair) => R,
    drop: Drop,
    within = prefix,
  ): Promise<R[]> {
    const found: R[] = [];
    for await (const batch of fresh(adapter, values, drop, within))
      for (const pair of batch) found.push(take(pair));
    return found;
  }

  const keysNow = async (adapter: Guarded, drop: Drop): Promise<string[]> =>
    adapter.keys === undefined
      ? collect(adapter, false, ([key]) => strip(key), drop)
      : (await adapter.keys(prefix)).map(strip).filter(Boolean);

  const valuesNow = async (adapter: Guarded, drop: Drop): Promise<unknown[]> =>
    adapter.values === undefined
      ? collect(adapter, true, ([key, record]) => decode(record.value, key), drop)
      : (await adapter.values(prefix)).map((value) => decode(value, prefix));

  /** The pairs whose keys start with `within`; they keep what is behind the store's prefix. */
  async function entriesNow(
    adapter: Guarded,
    drop: Drop,
    within: string,
  ): Promise<[string, unknown][]> {
    const take = ([key, record]: Pair): [string, unknown] => [
      strip(key),
      decode(record.value, key),
    ];
    if (adapter.entries === undefined) return collect(adapter, true, take, drop, within);
    const found = await adapter.entries(within);
    const now = Date.now();
    await drop(
      found.filter(([, record]) => !isFresh(record, now)),
      now,
    );
    return found.filter(([key, record]) => key !== prefix && isFresh(record, now)).map(take);
  }

  async function entries(filter: string): Promise<[string, unknown][]> {
    const within = prefix + checkPrefix(filter);
    return listing(within, (adapter, drop) => entriesNow(adapter, drop, within));
  }

  async function list(options: ListOptions = {}): Promise<EntryPage<unknown>> {
    checkOptions(options, LIST_OPTIONS, "list()");
    const { prefix: inner = "", limit = 100, cursor = null, reverse = false } = options;
    if (!Number.isSafeInteger(limit) || limit < 1)
      throw new KvError("KV_INVALID_VALUE", "limit has to be a whole number from 1");
    const range = { prefix: prefix + checkPrefix(inner), reverse };
    const after = cursor === null ? null : decodeCursor(cursor, range, inner);
    return listing(range.prefix, async (adapter, drop) => {
      // Without an order all records are passed: for a page of some the values of the others are
      // left alone.
      const values = adapter.page !== undefined || limit > SOME;
      // One more than asked for tells whether there is another page.
      const found = await ordered(adapter, { ...range, after }, limit + 1, prefix, values, drop);
      const page = found.slice(0, limit);
      const filled = values
        ? page
        : await mapLimit(
            page,
            async ([key, record]) =>
              [
                key,
                record.value === null ? await readNow(key, adapter) : isolated(record),
              ] as const,
          );
      const now = Date.now();
      // What was deleted since is left out.
      return {
        entries: filled.filter((pair): pair is Pair => isFresh(pair[1], now)).map(toEntry),
        cursor: found.length > limit ? encodeCursor(page[limit - 1]![0], range, inner) : null,
      };
    });
  }

  async function clearNow(adapter: Guarded): Promise<void> {
    if (adapter.clear !== undefined) return adapter.clear(prefix);
    // Deleting while listing may hide keys from some clients: listed again for as long as that
    // leaves fewer.
    for (let before = Infinity, found = 0; ; before = found) {
      found = 0;
      for await (const batch of batches(adapter, wholeRange(prefix), false)) {
        const keys = batch.map(([key]) => key).filter((key) => key !== prefix);
        found += keys.length;
        await writeAllNow(
          keys.map((key) => ({ key, record: null })),
          adapter,
        );
      }
      if (found === 0 || found >= before) return;
    }
  }

  async function prune(): Promise<number> {
    const adapter = await guardOf(connection, timeout);
    await lanesOf(order()).settled(prefix);
    return pruneAll(sweptBy(adapter), prefix);
  }

  const others: Omit<Operations, keyof ItemOperations | "iterate"> = {
    add,
    getMany,
    setMany,
    delMany,
    entry,
    touch,
    keys: whole("keys", () => listing(prefix, keysNow)),
    values: whole("values", () => listing(prefix, valuesNow)),
    entries: whole("entries", () => entries("")),
    async all(filter = "") {
      // fromEntries makes own properties, so that a key such as "__proto__" is one like any other.
      return Object.fromEntries(await entries(filter));
    },
    list,
    commit,
    clear: whole("clear", async () => perform({ writeUnder: prefix }, clearNow, WHOLE)),
    prune: whole("prune", prune),
  };
  // Client failures are already KvErrors here; anything else was caused by a bad argument.
  const failing = (error: unknown, name: string): never =>
    refuse(
      isKvError(error)
        ? error
        : new KvError(
            "KV_INVALID_VALUE",
            `the arguments of ${name}() cannot be used: see its documentation`,
            { cause: error },
          ),
    );
  for (const [name, work] of Object.entries(others) as [
    keyof typeof others,
    (...args: unknown[]) => Promise<never>,
  ][]) {
    others[name] = (...args: unknown[]) => work(...args).catch((error) => failing(error, name));
  }
  return { get: core.get, set: core.set, has: core.has, del: core.del, iterate, ...others };
}
