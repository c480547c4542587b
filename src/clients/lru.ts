import { KvError } from "../errors.ts";
import { LRU } from "./manifests.ts";
import { isolated, StoredRecord } from "../record/record.ts";
import { failedChecks, isFresh } from "../record/freshness.ts";
import { committed } from "./shared/all-or-nothing.ts";
import { keyIndexOf, type IndexOnDemand, KeyIndex } from "./shared/key-index.ts";
import { DatedKeys } from "./shared/dated-keys.ts";
import { type ClientFactory, defineClient } from "./define.ts";
import type { KvRecord, Write } from "../record/types.ts";
import type { Adapter } from "./adapter.ts";
import { utf8Length } from "../record/utf8.ts";
import { foreign } from "../record/text-format.ts";

/** The part of an `LRUCache` that is used. */
export interface LruLike {
  get(key: string): unknown;
  peek(key: string, options?: { allowStale?: boolean }): unknown;
  set(
    key: string,
    value: unknown,
    options?: { ttl?: number; size?: number; noUpdateTTL?: boolean },
  ): unknown;
  delete(key: string): unknown;
  keys(): Iterable<unknown>;
  readonly size: number;
  readonly maxSize: number;
  readonly maxEntrySize: number;
  readonly sizeCalculation?: unknown;
}

// The cache counts by a clock of its own that is never set: a second more never makes it the
// earlier one.
const SLACK = 1000;
// A timer of the cache (`ttlAutopurge`) holds no longer time.
const LONGEST = 2 ** 31 - 2;

/** How many evicted keys the index of a small cache keeps. */
const SPARE = 1000;

// Stores over one cache share the keys that have a deadline.
const datedIn = new WeakMap<LruLike, DatedKeys>();

/**
 * Keeps records in an `lru-cache` of yours: bounded memory, with all that a store does. An evicted
 * key is absent; a missing key is `null`. Reading a value counts as a use; `has()`, listings and
 * checks do not.
 *
 * The bounds of the cache hold. Where it counts sizes, a record has the size that your
 * `sizeCalculation(value, key)` gives for its bare value, or else as many bytes as key and value
 * have in JSON. Its other options change nothing: the deadline is the record's (a `ttl` of the
 * cache is no default here), and an expired record is absent, also with `allowStale`. Items of
 * yours in the same cache are left alone. Nothing outlives the process.
 *
 * @throws {KvError} KV_TOO_LARGE for a record larger than `maxEntrySize` (or `maxSize`): the old
 * value is still there.
 * @example
 * import { LRUCache } from "lru-cache";
 * import kv from "anykv";
 *
 * const store = kv(new LRUCache({ max: 1000 }));
 * await store.set("key1", { hello: "world" }, { expires: "1h" });
 * console.log(await store.get("key1")); // { hello: "world" }
 */
export const lru: ClientFactory<LruLike, Record<never, never>> = defineClient({
  ...LRU,
  open(cache: LruLike): Adapter {
    const peek = (key: string): StoredRecord | null => recordIn(cache.peek(key), key);
    const dated = datedIn.get(cache) ?? new DatedKeys();
    datedIn.set(cache, dated);
    const index = indexOfCache(cache);
    const recordAt = (key: string, values: boolean): KvRecord | null =>
      listedRecord(cache.peek(key), values);

    function writeAll(writes: readonly Write[]): void {
      // All of them first, so that all are written or none.
      const sizes = writes.map(({ key, record }) => record && sizeOf(cache, key, record));
      for (const [i, { key, record }] of writes.entries()) {
        const size = sizes[i];
        dated.note(key, record && record.expires);
        index.note(key);
        if (record === null) cache.delete(key);
        else
          cache.set(key, record, {
            ttl: ttlOf(record),
            noUpdateTTL: false,
            ...(typeof size === "number" && { size }),
          });
      }
    }

    return {
      get(key) {
        const record = recordIn(cache.get(key), key);
        return record === null ? null : isolated(record);
      },
      has: (key, now) => isFresh(peek(key), now),
      set: (key, record) => writeAll([{ key, record }]),
      del: (key) => writeAll([{ key, record: null }]),
      setMany: writeAll,
      *iterate(prefix, values) {
        // The keys first: every write and every use changes their order.
        for (const key of index.keys(prefix, () => [...cache.keys()])) {
          const record = recordAt(key, values);
          if (record !== null) yield [key, record];
        }
      },
      seek: (query) => index.get().page(query, (key) => recordAt(key, query.values)),
      prune({ prefix, now, limit }) {
        let removed = 0;
        dated.look(limit, (key, deadline) => {
          // Also an item that the cache hides because its own deadline has passed.
          const item = cache.peek(key, { allowStale: true });
          if (!(item instanceof StoredRecord) || item.expires !== deadline) return false;
          if (deadline > now || !key.startsWith(prefix)) return true;
          cache.delete(key);
          removed++;
          return false;
        });
        return removed;
      },
      commit(checks, writes, now) {
        const failed = failedChecks(checks, peek, now);
        if (failed.length > 0) return { ok: false, failed };
        writeAll(writes);
        return committed(writes);
      },
    };
  },
});

/** The record of a listing; `null` for an item that this library did not write. */
function listedRecord(item: unknown, values: boolean): KvRecord | null {
  if (!(item instanceof StoredRecord)) return null;
  return values ? isolated(item) : item;
}

/** The index of the keys of a cache. */
const indexOfCache = (cache: LruLike): IndexOnDemand =>
  keyIndexOf(
    cache,
    () =>
      new KeyIndex({
        all: () => cache.keys(),
        has: (key) => cache.peek(key, { allowStale: true }) !== undefined,
        // Evicted keys stay in the index until they are the half of it.
        isDamaged: (size) => size > 2 * cache.size + SPARE,
      }),
  );

/**
 * The native deadline, so that the cache frees records that are not read; 0 is none, whatever the
 * default of the cache.
 */
function ttlOf({ expires }: KvRecord): number {
  const ttl = expires === null ? 0 : Math.max(1, expires - Date.now()) + SLACK;
  return ttl > LONGEST ? 0 : ttl;
}

function recordIn(item: unknown, key: string): StoredRecord | null {
  if (item instanceof StoredRecord) return item;
  if (item === undefined) return null;
  throw foreign(key);
}

/**
 * The size of a record if the cache counts sizes. This rejects a record that is too large: the
 * cache would delete the old value for it.
 */
function sizeOf(cache: LruLike, key: string, { value }: KvRecord): number | undefined {
  if (!(cache.maxSize > 0 || cache.maxEntrySize > 0)) return undefined;
  const calculated =
    typeof cache.sizeCalculation === "function"
      ? Math.ceil(Number(cache.sizeCalculation(value, key)))
      : NaN;
  const size = Number.isFinite(calculated)
    ? Math.max(1, calculated)
    : utf8Length(key) +
      ((value as unknown) instanceof Uint8Array
        ? (value as unknown as Uint8Array).length
        : utf8Length(JSON.stringify(value)));
  if (!(cache.maxEntrySize > 0) || size <= cache.maxEntrySize) return size;
  throw new KvError(
    "KV_TOO_LARGE",
    `the record has a size of ${size}: this cache takes entries of up to ${cache.maxEntrySize}`,
    { key },
  );
}
