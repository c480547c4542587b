import { KvError } from "../errors.ts";
import type { CacheSettings } from "./options.ts";

/** The versions of the tags of an entry: the counters of `delTags()` and of `expireTags()`. */
export type TagVersions = readonly (readonly [tag: string, hard: number, soft: number])[];

/** The keys of counters start with it. */
export const TAG_PREFIX = "t:";
/** The key of the counter of all invalidations, whatever their tags. */
export const EPOCH = "tags";

/** A counter is kept for at least so many milliseconds longer than the values with its tag. */
export const TAG_SPARE = 30_000;

/** How often the values with a tag were deleted and expired. */
export type TagCounter = readonly [hard: number, soft: number];

/** What the store keeps under a key of a cache. Times are milliseconds, or since 1970. */
export interface CacheEntry {
  readonly value?: unknown;
  /** Until when the value is fresh; `null` for ever. There is no value without it. */
  readonly fresh?: number | null;
  /** How long the value may be served after that. */
  readonly grace?: number;
  /** How long its load took. */
  readonly load?: number;
  readonly tags?: TagVersions;
  readonly metadata?: unknown;
  /** Until then no other process loads the value: a process does, or the last load failed. */
  readonly lease?: number;
  /** How many loads in a row have failed. */
  readonly failures?: number;
}

/** Whether a value may be served: always, only while it is loaded again, or not. */
export type Freshness = "fresh" | "stale" | "absent";

/** @throws {KvError} KV_FOREIGN for a value that no cache has stored. */
export function cachedEntry(stored: unknown, key: string): CacheEntry | null {
  if (stored === null) return null;
  const { fresh, lease } = Object(stored) as CacheEntry;
  if (typeof fresh === "number" || fresh === null || typeof lease === "number")
    return stored as CacheEntry;
  throw new KvError(
    "KV_FOREIGN",
    `the value under ${JSON.stringify(key)} was not stored by a cache: give the cache a prefix`,
    { key },
  );
}

/** The entry for a value that was just loaded or set. */
export function newEntry(
  value: unknown,
  settings: CacheSettings,
  now: number,
  load?: number,
): CacheEntry {
  const { grace, jitter, metadata } = settings;
  const ttl = ttlOf(value, settings);
  return {
    value,
    fresh: ttl === null ? null : Math.ceil(now + ttl * (1 - jitter * Math.random())),
    // A value that is not cached is not served stale either.
    ...(ttl !== null && ttl > 0 && grace > 0 && { grace }),
    ...(load !== undefined && { load }),
    ...(metadata !== undefined && { metadata }),
  };
}

/** The same entry with the versions of its tags, if it has any. */
export const withTags = (entry: CacheEntry, tags: TagVersions): CacheEntry =>
  tags.length > 0 ? { ...entry, tags } : entry;

/** How long a value is fresh. */
export const ttlOf = (value: unknown, { ttl, nullTtl }: CacheSettings): number | null =>
  value === null || value === undefined ? nullTtl : ttl;

/** Until when a value may be served; `null` for ever. */
export const servedUntil = ({ fresh, grace = 0 }: CacheEntry): number | null =>
  typeof fresh === "number" ? fresh + grace : fresh === null ? null : 0;

/** How long the record of a lease stays behind its end, in milliseconds, for a late owner. */
const AFTER_LEASE = 60_000;

/** When the record of an entry expires. */
export function recordExpiry(entry: CacheEntry): Date | null {
  const until = servedUntil(entry);
  const held = entry.lease === undefined ? 0 : entry.lease + AFTER_LEASE;
  return until === null ? null : new Date(Math.max(until, held));
}

/**
 * Whether a value may be served.
 *
 * @param tags the state of its tags: untouched, expired or deleted.
 */
export function freshnessOf(
  entry: CacheEntry | null,
  now: number,
  tags: Freshness = "fresh",
): Freshness {
  const until = entry === null || tags === "absent" ? 0 : servedUntil(entry);
  if (until !== null && until <= now) return "absent";
  const { fresh = 0, grace = 0 } = entry!;
  if (tags === "fresh" && (fresh === null || fresh > now)) return "fresh";
  return grace > 0 ? "stale" : "absent";
}

/**
 * Whether to load a fresh value again already. The chance grows towards its end, the faster the
 * longer its load takes, so that few callers load it and none waits for it.
 *
 * Source: A. Vattani, F. Chierichetti, K. Lowenstein: Optimal Probabilistic Cache Stampede
 * Prevention (XFetch), 2015.
 */
export const isEarly = ({ fresh, load = 0 }: CacheEntry, eagerness: number, now: number): boolean =>
  typeof fresh === "number" && now - load * eagerness * Math.log(Math.random()) >= fresh;
