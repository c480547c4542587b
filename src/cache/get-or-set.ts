import { KvError } from "../errors.ts";
import { freshnessOf, isEarly } from "./entry.ts";
import { foundOf } from "./find.ts";
import { follow, withinHardTimeout, lateLoad, startFlight } from "./flight.ts";
import { isolate } from "./isolate.ts";
import type { L1Item } from "./l1.ts";
import { Loaded } from "./loaded.ts";
import type { Loader } from "./loader.ts";
import { lookUp } from "./lookup.ts";
import { LOAD_OPTIONS, type LoadOptions, cacheSettings } from "./options.ts";
import {
  type CacheState,
  checkCacheKey,
  type Decision,
  type FoundEntry,
  type Load,
} from "./state.ts";
import { checkTags } from "./tag-use.ts";

/** A fresh value of the first tier. Begins to load it again early, if that is asked for. */
export function fromL1(
  state: CacheState,
  key: string,
  load: Load | null,
  isCounted: boolean = true,
): L1Item | undefined {
  if (state.l1 === null) return undefined;
  const now = Date.now();
  const item = state.l1.get(key, now);
  if (item === undefined) return undefined;
  const { entry } = item;
  if (entry.fresh !== null && !(entry.fresh! > now)) return undefined;
  // What is not known of its tags is read with the value.
  if (entry.tags !== undefined && state.tags?.known(entry.tags, now) !== "fresh") return undefined;
  if (isCounted) {
    state.stats.hits++;
    state.stats.l1Hits++;
  }
  const eagerness = load === null ? 0 : load.settings.refreshAhead;
  if (eagerness > 0 && !state.flights.has(key) && isEarly(entry, eagerness, now)) {
    const found = foundOf(entry, undefined);
    startFlight(state, key, load!, { found, isForced: true, isPatient: false });
  }
  return item;
}

/** Whether options have the same members as those of the last call, and at least one. */
function isSame(options: LoadOptions, recent: LoadOptions | undefined): boolean {
  if (recent === undefined) return false;
  let count = 0;
  for (const name in options) {
    // The list itself may have changed.
    if (name === "tags" || options[name as keyof LoadOptions] !== recent[name as keyof LoadOptions])
      return false;
    count++;
  }
  return count > 0 && count === Object.keys(recent).length;
}

/** @throws {KvError} for a loader or options that cannot be used. */
export function loadOf(
  state: CacheState,
  loader: unknown,
  options: LoadOptions | undefined,
  where: string,
): Load {
  if (typeof loader !== "function")
    throw new KvError("KV_INVALID_VALUE", `${where} needs a function that loads the value`);
  const { recent } = state;
  if (options !== undefined && isSame(options, recent?.options))
    return { loader: loader as Loader<unknown>, settings: recent!.settings };
  const settings = cacheSettings(options, state.defaults, LOAD_OPTIONS, where);
  checkTags(state.store, settings.tags);
  if (options !== undefined) state.recent = { options: { ...options }, settings };
  return { loader: loader as Loader<unknown>, settings };
}

/** Reads a value, or loads and stores it. */
export function getOrSet(
  state: CacheState,
  key: string,
  loader: unknown,
  options: LoadOptions | undefined,
): Promise<unknown> {
  try {
    const load = loadOf(state, loader, options, "getOrSet()");
    const item = load.settings.forceFresh ? undefined : fromL1(state, key, load);
    return item === undefined ? resolve(state, key, load) : Promise.resolve(valueOf(item));
  } catch (error) {
    return Promise.reject(error as Error);
  }
}

/** A copy of the value of an item. */
export const valueOf = ({ entry, kind }: L1Item): unknown => isolate(entry.value, kind);

const NOT_READ: FoundEntry = { entry: null, version: undefined, freshness: "absent", isRead: true };

/** Reads a value from the store, or loads it. `read` replaces the first read. */
export async function resolve(
  state: CacheState,
  key: string,
  load: Load,
  read?: () => Promise<FoundEntry>,
): Promise<unknown> {
  checkCacheKey(state, key);
  const { settings } = load;
  const { signal, forceFresh, hardTimeout } = settings;
  signal?.throwIfAborted();
  const begun = Date.now();
  const left = (): number => Math.max(0, begun + hardTimeout - Date.now());
  for (let turn = 0; ; turn++) {
    const decision = forceFresh
      ? force(state, key, load)
      : await withinHardTimeout(
          lookUp(state, key, { load, settings, read }),
          key,
          left(),
          hardTimeout,
        );
    const { found, flight, served } = decision;
    const isJoined = flight !== null && flight.load !== load;
    if (flight === null || isJoined) load.idle?.();
    if (found.freshness === "fresh") {
      state.stats.hits++;
      return served.take();
    }
    if (isJoined && turn === 0) state.stats.coalesced++;
    if (found.freshness === "stale") return serveStale(state, decision, load);
    if (turn === 0) state.stats.misses++;
    // It was a lookup without a load.
    if (flight === null) continue;
    flight.isPatient = true;
    const loaded = await follow(flight, left(), signal, () => lateLoad(key, hardTimeout));
    if (loaded !== null) return loaded.take();
  }
}

/** A load whatever is cached, or the one that is under way. */
function force(state: CacheState, key: string, load: Load): Decision {
  const start = { found: NOT_READ, isForced: true, isPatient: true };
  const flight = state.flights.get(key) ?? startFlight(state, key, load, start);
  return { found: NOT_READ, flight, served: new Loaded(undefined) };
}

/** A stale value, unless the loader is faster than the caller's timeout. */
async function serveStale(
  { stats }: CacheState,
  { found, flight, served }: Decision,
  { settings: { timeout, signal } }: Load,
): Promise<unknown> {
  const serve = (): unknown => {
    stats.staleHits++;
    return served.take();
  };
  if (flight === null || timeout === 0) return serve();
  flight.isPatient = true;
  try {
    const loaded = await follow(flight, timeout, signal, null);
    return loaded === null ? serve() : loaded.take();
  } catch (error) {
    if (signal?.aborted || freshnessOf(found.entry, Date.now()) === "absent") throw error;
    return serve();
  }
}
