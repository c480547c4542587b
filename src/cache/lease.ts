import { type CacheEntry, recordExpiry, type TagVersions } from "./entry.ts";
import { findNow } from "./find.ts";
import type { Settings } from "./options.ts";
import {
  type CacheState,
  type Flight,
  type FlightStart,
  type FoundEntry,
  isAcross,
} from "./state.ts";
import { untilChanged } from "./wait.ts";

/** What was known of the tags when a load began. */
export interface TagsBefore {
  readonly versions: TagVersions;
  readonly epoch: number | null;
}

/** The right to load and store a key. */
export interface Lease {
  /**
   * The version of the record while the lease is held. Whoever writes the key changes it, and
   * nobody can write with an old one.
   */
  readonly token: string | null;
  /** The record as it was before: the value that may still be served, and counted failures. */
  readonly before: CacheEntry | null;
  readonly tags: TagsBefore;
}

/** The shortest and the longest pause after loads that failed, in milliseconds. */
const [FIRST_PAUSE, LONGEST_PAUSE] = [100, 1000];

/** Reads what is to be known of the tags before a value is loaded. */
export async function tagsBefore(
  { tags, store }: CacheState,
  settings: Settings,
): Promise<TagsBefore> {
  if (store.supports.atomic === "no") return { versions: [], epoch: null };
  const [versions, epoch] = await Promise.all([
    tags.versions(settings.tags, endOf(settings)),
    tags.epoch(),
  ]);
  return { versions, epoch };
}

/** When a value with these settings expires at the latest, if it is stored now. */
export const endOf = ({ ttl, grace }: Settings): number | null =>
  ttl === null ? null : Date.now() + ttl + grace;

/**
 * Takes the lease of a key. Resolves to the entry if another process has loaded it meanwhile, and
 * to `null` if one is loading it and nobody waits here.
 */
export async function acquire(
  state: CacheState,
  key: string,
  flight: Flight,
  { found: first, isForced }: FlightStart,
): Promise<Lease | { readonly entry: CacheEntry } | null> {
  const { load, signal } = flight;
  if (!isAcross(state)) {
    const tags = await tagsBefore(state, load.settings);
    return { token: null, before: servable(first), tags };
  }
  let found = first;
  let hasWaited = false;
  for (let attempt = 0; ; attempt++) {
    signal.throwIfAborted();
    if (found.version === undefined || attempt > 0) found = await findNow(state, key);
    const { entry, freshness, version } = found;
    if (freshness === "fresh" && (hasWaited || !isForced)) return { entry: entry! };
    const now = Date.now();
    const until = entry?.lease ?? 0;
    if (until > now) {
      load.idle?.();
      if (!flight.isPatient) return null;
      hasWaited = true;
      await untilChanged(state.values, key, { attempt, until, signal });
      continue;
    }
    const before = servable(found);
    const held: CacheEntry = { ...before, lease: now + state.lease };
    const [result, tags] = await Promise.all([
      state.values.commit(
        [{ key, version: version! }],
        [{ key, value: held, expires: recordExpiry(held) }],
      ),
      tagsBefore(state, load.settings),
    ]);
    if (result.ok) return { token: result.version, before, tags };
  }
}

/** The entry without a value that may not be served. */
function servable({ entry, freshness }: FoundEntry): CacheEntry | null {
  if (freshness !== "absent") return entry;
  return entry?.failures === undefined ? null : { failures: entry.failures };
}

/**
 * Replaces the record of a key, or deletes it for `null`, if nobody has written it since the lease
 * was taken. Resolves to whether it did.
 */
export async function replaceHeld(
  state: CacheState,
  key: string,
  flight: Flight,
  lease: Lease,
  entry: CacheEntry | null,
): Promise<boolean> {
  const { values } = state;
  const expires = entry === null ? null : recordExpiry(entry);
  if (lease.token !== null) {
    const write = { key, value: entry, expires };
    return (await values.commit([{ key, version: lease.token }], [write])).ok;
  }
  if (flight.isOutdated) return false;
  await (entry === null ? values.del(key) : values.set(key, entry, { expires }));
  return true;
}

/** Ends a lease without a value: the record becomes what it was. */
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
  // Nobody tries again at once: the origin may be down.
  const failures = (before?.failures ?? 0) + 1;
  const pause = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (failures - 1));
  const failed: CacheEntry = { ...before, lease: Date.now() + pause, failures };
  await replaceHeld(state, key, flight, lease, failed);
}
