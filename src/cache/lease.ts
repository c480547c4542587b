import { type CacheEntry, recordExpiry, type TagVersions } from "./entry.ts";
import type { CacheSettings } from "./options.ts";
import { type CacheState, type Flight, type FoundEntry } from "./state.ts";
import { epochOf, versionsOf } from "./tag-use.ts";

/** The counters of the tags at the beginning of a load. */
export interface TagsBefore {
  readonly versions: TagVersions;
  readonly epoch: number | null;
  /** When a value expires that was loaded at once; `null` for never. Counters are kept longer. */
  readonly until: number | null;
}

/** The right to load and store a key. */
export interface Lease {
  /**
   * The version of the record while the lease is held. Every write of the key changes it, and
   * a write with an old version is rejected.
   */
  readonly token: string | null;
  /** The record as it was before: the value that may still be served, and counted failures. */
  readonly before: CacheEntry | null;
  readonly tags: TagsBefore;
}

/** The shortest and the longest pause after loads that failed, in milliseconds. */
const [FIRST_PAUSE, LONGEST_PAUSE] = [100, 1000];

/** Reads what is to be known of the tags before a value is loaded. */
export async function tagsBefore(state: CacheState, settings: CacheSettings): Promise<TagsBefore> {
  const { store } = state;
  const { ttl, grace, tags } = settings;
  const until = ttl === null ? null : Date.now() + ttl + grace;
  if (store.supports.atomic === "no") return { versions: [], epoch: null, until };
  const [versions, epoch] = await Promise.all([versionsOf(state, tags, until), epochOf(store)]);
  return { versions, epoch, until };
}

/** The entry without a value that may not be served. */
export function servable({ entry, freshness }: FoundEntry): CacheEntry | null {
  if (freshness !== "absent") return entry;
  return entry?.failures === undefined ? null : { failures: entry.failures };
}

/**
 * Replaces the record of a key, or deletes it for `null`, if it was not written since the lease
 * was taken. Resolves to the version if it did: `undefined` where that is not known.
 */
export async function replaceHeld(
  state: CacheState,
  key: string,
  flight: Flight,
  lease: Lease,
  entry: CacheEntry | null,
): Promise<{ readonly version: string | undefined } | null> {
  const { values } = state;
  const expires = entry === null ? null : recordExpiry(entry);
  if (lease.token !== null) {
    const write = { key, value: entry, expires };
    const result = await values.commit([{ key, version: lease.token }], [write]);
    return result.ok ? result : null;
  }
  if (flight.isOutdated) return null;
  await (entry === null ? values.del(key) : values.set(key, entry, { expires }));
  return { version: undefined };
}

/** Ends a lease without a value: the record becomes the old one. */
export async function release(
  state: CacheState,
  key: string,
  flight: Flight,
  lease: Lease,
  hasFailed: boolean,
): Promise<void> {
  const { before, token } = lease;
  const hasValue = before?.fresh !== undefined;
  // There is nothing to give back.
  if (token === null && !(hasValue && hasFailed)) return;
  if (!hasFailed) {
    const { lease: _, ...rest } = before ?? {};
    await replaceHeld(state, key, flight, lease, hasValue ? rest : null);
    return;
  }
  // No process tries again at once: the origin may be down.
  const failures = (before?.failures ?? 0) + 1;
  const pause = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (failures - 1));
  const failed: CacheEntry = { ...before, lease: Date.now() + pause, failures };
  await replaceHeld(state, key, flight, lease, failed);
}
