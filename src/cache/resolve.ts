import { type CacheEntry, type Freshness, freshnessOf } from "./entry.ts";
import { foundOf } from "./find.ts";
import { follow, lateLoad, startFlight, lookedUp } from "./flight.ts";
import { Loaded } from "./loaded.ts";
import { lookUp } from "./lookup.ts";
import {
  type CacheState,
  checkCacheKey,
  type Decision,
  type FoundEntry,
  type Load,
} from "./state.ts";

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
  const begun = hardTimeout === Infinity ? 0 : Date.now();
  const left = (): number =>
    hardTimeout === Infinity ? Infinity : Math.max(0, begun + hardTimeout - Date.now());
  for (let turn = 0; ; turn++) {
    const decision = forceFresh
      ? force(state, key, load)
      : await lookedUp(lookUp(state, key, { load, settings, read }), key, left(), settings);
    const { found, flight, served } = decision;
    const isJoined = flight !== null && flight.load !== load;
    if (flight === null || isJoined) load.idle?.();
    if (load.span !== undefined && turn === 0)
      load.span.outcome = outcomeOf(found.freshness, isJoined);
    if (found.freshness === "fresh") {
      state.stats.hits++;
      return served.take();
    }
    if (isJoined && turn === 0) state.stats.coalesced++;
    if (found.freshness === "stale") {
      const stale = await serveStale(state, decision, load, left());
      if (stale !== null) return stale.take();
      if (load.span !== undefined) load.span.outcome = outcomeOf("absent", isJoined);
    }
    if (turn === 0) state.stats.misses++;
    // It was a lookup without a load.
    if (flight === null) continue;
    flight.isPatient = true;
    const loaded = await follow(flight, left(), signal, () => lateLoad(key, hardTimeout));
    if (loaded !== null) return loaded.take();
  }
}

/** What is reported of a call. */
const outcomeOf = (freshness: Freshness, isJoined: boolean): string =>
  ({ fresh: "hit", stale: "stale", absent: isJoined ? "coalesced" : "miss" })[freshness];

/** A load whatever is cached, or the one that is under way. */
function force(state: CacheState, key: string, load: Load): Decision {
  const start = { found: NOT_READ, isForced: true, isPatient: true };
  const flight = state.flights.get(key) ?? startFlight(state, key, load, start);
  return { found: NOT_READ, flight, served: new Loaded(undefined) };
}

/**
 * A stale value, unless the loader is faster than the timeout and the rest of the hardTimeout;
 * `null` when its grace has ended by then.
 */
async function serveStale(
  { stats }: CacheState,
  { found, flight, served }: Decision,
  { settings: { timeout, signal } }: Load,
  left: number,
): Promise<Loaded | null> {
  const serve = (): Loaded | null => {
    if (freshnessOf(found.entry, Date.now()) === "absent") return null;
    stats.staleHits++;
    return served;
  };
  if (flight === null || timeout === 0) {
    stats.staleHits++;
    return served;
  }
  flight.isPatient = true;
  try {
    return (await follow(flight, Math.min(timeout, left), signal, null)) ?? serve();
  } catch (error) {
    const stale = signal?.aborted ? null : serve();
    if (stale === null) throw error;
    return stale;
  }
}

/** Loads a fresh value again, unless that is under way. */
export function refresh(state: CacheState, key: string, load: Load, entry: CacheEntry): void {
  if (state.flights.has(key)) return;
  const found = foundOf(entry, undefined);
  startFlight(state, key, load, { found, isForced: true, isPatient: false });
}

/** Reads a fresh value from the store. */
export async function readFresh(
  state: CacheState,
  key: string,
): Promise<{ readonly value: unknown } | null> {
  const what = { load: null, settings: state.defaults };
  const { found, served } = await lookUp(state, key, what);
  return found.freshness === "fresh" ? { value: served.take() } : null;
}
