import type { Store } from "../api.ts";
import type { Client } from "../clients/client.ts";
import { KvError } from "../errors.ts";
import { kv } from "../index.ts";
import { checkOptions } from "../platform/options.ts";
import { contextOf } from "../store/store.ts";
import { Breaker } from "./breaker.ts";
import type { Cache } from "./cache.ts";
import { fromL1, getOrSet, loadReads, valueOf } from "./get-or-set.ts";
import {
  type CacheOptions,
  LOAD_OPTIONS,
  MOST_WAIT,
  type LoadOptions,
  type CacheSettings,
  cacheSettings,
  type Time,
  timeOf,
} from "./options.ts";
import { type CacheState, checkCacheKey, closedCache, outdate, VALUE_PREFIX } from "./state.ts";
import { newStats } from "./stats.ts";
import { TAG_PREFIX } from "./entry.ts";
import { checkTags, tagsOf } from "./tag-use.ts";
import { isTiers, type Tiers, tierOptions } from "./tiers.ts";
import { wrap } from "./wrap.ts";
import { del, set } from "./writes.ts";

const OWN_OPTIONS = ["lease", "onStoreError", "breaker", "onError"];
const DEFAULTS = LOAD_OPTIONS.filter(
  (name) => !["forceFresh", "metadata", "signal", "tags"].includes(name),
);

const BASE: CacheSettings = {
  ttl: null,
  grace: 0,
  jitter: 0.05,
  nullTtl: 0,
  tags: [],
  metadata: undefined,
  timeout: 0,
  hardTimeout: Infinity,
  refreshAhead: 0,
  forceFresh: false,
  signal: undefined,
};

function checkOwn({ onStoreError, onError }: CacheOptions): void {
  if (!["load", "throw", undefined].includes(onStoreError))
    throw new KvError("KV_INVALID_VALUE", 'onStoreError has to be "load" or "throw"');
  if (onError !== undefined && typeof onError !== "function")
    throw new KvError("KV_INVALID_VALUE", "onError has to be a function");
}

function stateOf(input: unknown, options: CacheOptions): CacheState {
  checkOptions(options, [...DEFAULTS, ...OWN_OPTIONS], "createCache()");
  checkOwn(options);
  if (isTiers(input)) checkOptions(input, ["l1", "l2"], "createCache()");
  const tiers = isTiers(input) ? tierOptions(input) : null;
  const store = kv((isTiers(input) ? input.l2 : input) as Client) as Store;
  const { lease = 10, breaker = 1, onStoreError = "load", onError, ...rest } = options;
  const { expires } = store.options;
  // A moment is no duration.
  const ttl: Time | null = expires instanceof Date ? null : expires;
  const base = cacheSettings({ ttl }, BASE, LOAD_OPTIONS, "createCache()");
  return {
    store,
    context: contextOf(store)!,
    values: store.prefix(VALUE_PREFIX),
    tags: null,
    l1: null,
    tiers,
    breaker: new Breaker(timeOf("breaker", breaker, MOST_WAIT)),
    stats: newStats(),
    defaults: cacheSettings(rest as LoadOptions, base, DEFAULTS, "createCache()"),
    lease: timeOf("lease", lease, MOST_WAIT),
    onStoreError,
    onError,
    lookups: new Map(),
    flights: new Map(),
    recent: undefined,
    lastError: undefined,
    isClosed: false,
    stop: () => undefined,
  };
}

async function invalidate(
  state: CacheState,
  tags: readonly string[],
  way: "delete" | "expire",
): Promise<void> {
  const { tags: names } = cacheSettings({ tags }, state.defaults, ["tags"], "the tags");
  checkTags(state.store, names);
  await (await tagsOf(state)).invalidate(names, way);
}

function clear(state: CacheState): Promise<void> {
  const { store, values, lookups, flights } = state;
  const forget = (): void => {
    state.l1?.clear();
    state.tags?.forget();
    for (const lookup of lookups.values()) lookup.isOutdated = true;
  };
  for (const key of flights.keys()) outdate(state, key);
  forget();
  return state.breaker
    .ask(async () => {
      await values.clear();
      await store.prefix(TAG_PREFIX).clear();
    }, true)
    .finally(forget);
}

async function close(state: CacheState, isOwner: boolean): Promise<void> {
  state.isClosed = true;
  state.l1?.clear();
  state.stop();
  const ending = [...state.flights.values()];
  for (const flight of ending) flight.abort(closedCache());
  // Leases are given back.
  await Promise.allSettled(ending.map(({ result }) => result));
  if (isOwner) await state.store.close();
}

/** A fresh value in either tier. */
async function get(
  state: CacheState,
  key: string,
  isCounted: boolean,
): Promise<{ readonly value: unknown } | null> {
  const item = fromL1(state, key, null, isCounted);
  if (item !== undefined) return { value: valueOf(item) };
  checkCacheKey(state, key);
  const found = await (await loadReads()).readFresh(state, key);
  if (isCounted) state.stats[found === null ? "misses" : "hits"]++;
  return found;
}

/**
 * Makes a cache over a client or a store.
 *
 * The cache keeps values under the prefix `"v:"` of the store, and the counters of tags under
 * `"t:"` and `"tags"`. Give it a prefix of its own where the store has other data:
 * `createCache(kv(client, { prefix: "cache:" }))`.
 *
 * @param input a client, a promise of one, a store, or two tiers `{ l1, l2 }`: `l1` is bounded
 * memory of this process, `l2` the store that all processes share.
 * @param defaults the options of calls that name none, and options of the whole cache.
 * @throws {KvError} at once: KV_UNKNOWN_CLIENT, KV_INVALID_VALUE or KV_INVALID_EXPIRES.
 * @example
 * import { createCache } from "anykv/cache";
 *
 * const cache = createCache(new Map(), { ttl: "10m", grace: "1h" });
 * const load = async () => ({ name: "Ann" }); // the slow part
 * console.log(await cache.getOrSet("user:ann", load)); // { name: "Ann" }
 * console.log(cache.stats().loads); // 1
 */
export function createCache(
  input: Client | PromiseLike<Client> | Store | Tiers,
  defaults: CacheOptions = {},
): Cache {
  const state = stateOf(input, defaults);
  const isOwner = contextOf(isTiers(input) ? input.l2 : input) === undefined;
  const cache: Cache = {
    getOrSet: (key, loader, options) => getOrSet(state, key, loader, options) as Promise<never>,
    async getOrSetMany(keys, loader, options) {
      const list = [...keys];
      const { getOrSetMany } = await import("./many.ts");
      return (await getOrSetMany(state, list, loader, options)) as never[];
    },
    get: async (key) => ((await get(state, key, true))?.value ?? null) as never,
    has: async (key) => (await get(state, key, false)) !== null,
    set: (key, value, options) => set(state, key, value, options),
    del: (key) => del(state, key),
    expire: async (key) => (await import("./expire.ts")).expire(state, key),
    expireTags: (tags) => invalidate(state, tags, "expire"),
    delTags: (tags) => invalidate(state, tags, "delete"),
    wrap: (fn, options) => wrap(state, cache.getOrSet, fn, options),
    clear: () => clear(state),
    close: () => close(state, isOwner),
    stats: () => ({
      ...state.stats,
      l1Entries: state.l1?.size ?? 0,
      l1Bytes: state.l1?.bytes ?? 0,
    }),
  };
  return cache;
}
