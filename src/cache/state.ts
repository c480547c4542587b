import type { Store } from "../api.ts";
import { isKvError, KvError, type KvErrorCode } from "../errors.ts";
import { fullKey } from "../prefix.ts";
import type { StoreContext } from "../store/context.ts";
import type { Span } from "../store/tracer.ts";
import type { Breaker } from "./breaker.ts";
import type { CacheEntry, Freshness } from "./entry.ts";
import type { L1, TierOptions } from "./l1.ts";
import type { LoadEnd } from "./load-end.ts";
import type { Loaded } from "./loaded.ts";
import type { Loader } from "./loader.ts";
import type { ErrorPlace, LoadOptions, CacheSettings } from "./options.ts";
import type { CacheStats } from "./stats.ts";
import type { Tags } from "./tags.ts";

/** The keys of values start with it; those of tags with another prefix. */
export const VALUE_PREFIX = "v:";

/** The stored state of a key. */
export interface FoundEntry {
  readonly entry: CacheEntry | null;
  /** `undefined` where it was not read. */
  readonly version: string | null | undefined;
  readonly freshness: Freshness;
  /** Whether the store has answered. */
  readonly isRead: boolean;
}

/** A caller's request for a value. */
export interface Load {
  readonly loader: Loader<unknown>;
  readonly settings: CacheSettings;
  /**
   * Called when the loader is not about to be called: another process loads, or no load is needed.
   */
  readonly idle?: (() => void) | undefined;
  /** What is reported of the call. */
  span?: Span | undefined;
}

/** A load under way that all callers of a key share. */
export interface Flight {
  readonly load: Load;
  /** `null` where another process loads, and no caller waits here. */
  readonly result: Promise<Loaded | null>;
  readonly end: LoadEnd;
  /** Ends the load. Later callers begin another one. */
  abort(reason: unknown): void;
  /** How many callers wait. */
  waiters: number;
  /** Whether it goes on without callers. */
  isBackground: boolean;
  /** Whether it waits for another process. */
  isPatient: boolean;
  /** Whether the key was written since the load began. */
  isOutdated: boolean;
}

/** How a load begins. */
export interface FlightStart {
  readonly found: FoundEntry;
  /** Whether it goes on although the value is fresh. */
  readonly isForced: boolean;
  readonly isPatient: boolean;
}

/** The result of a lookup, and the load that it has begun or joined. */
export interface Decision {
  readonly found: FoundEntry;
  /** The value of the entry, for each caller. */
  readonly served: Loaded;
  readonly flight: Flight | null;
}

/** A read under way that all callers of a key share. */
export interface KeyLookup {
  readonly decision: Promise<Decision>;
  /** Whether this process has written the key since the read began. */
  isOutdated: boolean;
  /** Whether another process has. */
  isChanged: boolean;
}

/** The state that the parts of a cache share. */
export interface CacheState {
  readonly store: Store;
  /** That of the store. */
  readonly context: StoreContext;
  /** The part of the store that has the values. */
  readonly values: Store;
  /** The code of tags is loaded by its first use, and that of the first tier by any use. */
  tags: Tags | null;
  l1: L1 | null;
  readonly tiers: TierOptions | null;
  readonly breaker: Breaker;
  readonly stats: CacheStats;
  readonly defaults: CacheSettings;
  /** Milliseconds. */
  readonly lease: number;
  readonly onStoreError: "load" | "throw";
  readonly onError: ((error: unknown, place: ErrorPlace) => void) | undefined;
  /** The lookups and loads that are under way, by key. */
  readonly lookups: Map<string, KeyLookup>;
  readonly flights: Map<string, Flight>;
  /** The options of the last call: most calls have the same again. */
  recent: { readonly options: LoadOptions; readonly settings: CacheSettings } | undefined;
  /** The last error of the store that was reported. */
  lastError: unknown;
  isClosed: boolean;
  /** Ends the watch of the first tier. */
  stop: () => void;
}

/** @throws {KvError} KV_INVALID_KEY, KV_TOO_LARGE, or KV_CLOSED. */
export function checkCacheKey({ store, context, isClosed }: CacheState, key: string): void {
  fullKey(context.prefix + VALUE_PREFIX, key, store.supports.keyBytes);
  if (isClosed) throw closedCache();
}

export const closedCache = (): KvError => new KvError("KV_CLOSED", "this cache was closed");

/** Reports an error that no caller gets. An error of `onError` is an uncaught exception. */
export function report(state: CacheState, error: unknown, place: ErrorPlace): void {
  const { onError } = state;
  if (onError !== undefined) queueMicrotask(() => onError(error, place));
}

const OUTAGES = new Set<KvErrorCode>([
  "KV_CONNECTION",
  "KV_RATE_LIMITED",
  "KV_UNAUTHORIZED",
  "KV_FOREIGN",
  "KV_CORRUPT",
  // A lease does not fit either.
  "KV_QUOTA",
]);

/**
 * Reports an error of the store, so that the caller goes on without it.
 *
 * @throws the error itself, if it is no failure of the store, or if failures are to be thrown.
 */
export function withoutStore(state: CacheState, error: unknown, key: string): void {
  if (!isKvError(error) || !OUTAGES.has(error.code)) throw error;
  // While the store is left alone, the same error comes again and again.
  if (error !== state.lastError) {
    state.stats.storeErrors++;
    state.lastError = error;
    if (state.onStoreError === "load") report(state, error, { key, during: "store" });
  }
  if (state.onStoreError === "throw") throw error;
}

/** Whether the value of a key is in the store only through compare-and-set of all processes. */
export const isAcross = ({ store }: CacheState): boolean => store.supports.atomic === "yes";

/** Marks earlier reads of a key as out of date. */
export function outdateRead({ l1, lookups }: CacheState, key: string): void {
  l1?.delete(key);
  const lookup = lookups.get(key);
  if (lookup !== undefined) lookup.isOutdated = true;
}

/** Marks earlier reads and loads of a key as out of date. */
export function outdate(state: CacheState, key: string): void {
  outdateRead(state, key);
  const flight = state.flights.get(key);
  if (flight !== undefined) flight.isOutdated = true;
  state.flights.delete(key);
}
