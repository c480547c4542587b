import {
  type CacheEntry,
  freshnessOf,
  newEntry,
  servedUntil,
  TAG_SPARE,
  type TagVersions,
  withTags,
} from "./entry.ts";
import { type Lease, release, replaceHeld, servable, tagsBefore } from "./lease.ts";
import { Loaded } from "./loaded.ts";
import { LoadRun } from "./loader.ts";
import {
  type CacheState,
  type Flight,
  type FlightStart,
  isAcross,
  report,
  withoutStore,
} from "./state.ts";
import { checkTags, epochOf, versionsOf } from "./tag-use.ts";

/** The code of leases. A call of `import()` takes as long as a request to a server. */
let across: typeof import("./acquire.ts") | undefined;

/** Loads a key and stores its value, unless another process does. */
export async function fly(
  state: CacheState,
  key: string,
  flight: Flight,
  start: FlightStart,
): Promise<Loaded | null> {
  const { stats, l1 } = state;
  const since = Date.now();
  let lease: Lease | null = null;
  try {
    const held = start.found.isRead
      ? await state.breaker.ask(() => hold(state, key, flight, start))
      : null;
    if (held === null && start.found.isRead) return null;
    if (held !== null && "entry" in held) {
      stats.coalescedAcross++;
      if (!flight.isOutdated) l1?.put(key, held.entry, since);
      return new Loaded(held.entry.value);
    }
    lease = held;
  } catch (error) {
    // Without the store, the loader still answers.
    withoutStore(state, error, key);
  }
  const run = new LoadRun(flight.load.settings, lease?.before ?? null, flight.end);
  const begun = Date.now();
  let value: unknown;
  try {
    stats.loads++;
    value = await run.run(flight.load.loader);
  } catch (error) {
    await failed(state, key, flight, lease, error);
    throw error;
  }
  await keep(state, key, flight, lease, run, value, Date.now() - begun);
  return new Loaded(value);
}

/** The right to load a key: of all processes, where that can be had. */
async function hold(
  state: CacheState,
  key: string,
  flight: Flight,
  start: FlightStart,
): Promise<Lease | { readonly entry: CacheEntry } | null> {
  if (isAcross(state))
    return (across ??= await import("./acquire.ts")).acquire(state, key, flight, start);
  const tags = await tagsBefore(state, flight.load.settings);
  return { token: null, before: servable(start.found), tags };
}

/** Counts and reports a loader that failed, and gives its lease back. */
async function failed(
  state: CacheState,
  key: string,
  flight: Flight,
  lease: Lease | null,
  error: unknown,
): Promise<void> {
  const isAborted = flight.end.isAborted;
  if (!isAborted) state.stats.loadErrors++;
  const hasStale = freshnessOf(lease?.before ?? null, Date.now()) !== "absent";
  const isUnheard = flight.waiters === 0 || hasStale;
  if (isUnheard && !isAborted) report(state, error, { key, during: "load" });
  if (lease !== null)
    await quietly(state, key, () => release(state, key, flight, lease, !isAborted));
}

/**
 * Does something with the store, unless it could not be reached a moment ago. What fails is
 * reported, and the value is not cached.
 */
async function quietly(
  state: CacheState,
  key: string,
  work: () => Promise<unknown>,
): Promise<boolean> {
  try {
    await state.breaker.ask(work);
    return true;
  } catch (error) {
    // While the store is left alone, the same error comes again and again.
    if (error === state.lastError) return false;
    state.lastError = error;
    state.stats.storeErrors++;
    report(state, error, { key, during: "store" });
    return false;
  }
}

/** Stores what was loaded. */
async function keep(
  state: CacheState,
  key: string,
  flight: Flight,
  lease: Lease | null,
  run: LoadRun,
  value: unknown,
  load: number,
): Promise<void> {
  const { settings, isSkipped } = run;
  const now = Date.now();
  const entry = newEntry(value, settings, now, load);
  const until = servedUntil(entry);
  const isKept = !isSkipped && (until === null || until > now);
  if (lease === null) {
    // The store cannot be reached: the first tier still can. Tags cannot be checked there.
    const hasTags = settings.tags.length > 0;
    if (isKept && !hasTags && !flight.isOutdated) state.l1?.put(key, entry, now);
    return;
  }
  const isStored = await quietly(state, key, async () => {
    if (isSkipped) {
      await release(state, key, flight, lease, false);
      return;
    }
    const tags = isKept ? await tagsAfter(state, lease, run, until) : [];
    if (tags === null || !isKept) {
      // A value that is not cached still replaces the one before.
      if (lease.token === null && lease.before === null) return;
      await replaceHeld(state, key, flight, lease, null);
      return;
    }
    const tagged = withTags(entry, tags);
    const stored = await replaceHeld(state, key, flight, lease, tagged);
    if (stored === null) state.stats.outdated++;
    else if (!flight.isOutdated) state.l1?.put(key, tagged, now, stored.version);
  });
  // Others may load it, if the store rejects this value.
  if (!isStored) await quietly(state, key, () => release(state, key, flight, lease, false));
}

/** Whether counters that are kept until then, with their spare time, may end before a value. */
const isShort = (kept: number | null, until: number | null): boolean =>
  kept !== null && (until === null || until > kept + TAG_SPARE);

/**
 * The versions of the tags of a value, from before it was loaded; `null` if some of its tags were
 * not known before, and any tag was invalidated since.
 */
async function tagsAfter(
  state: CacheState,
  lease: Lease,
  { settings }: LoadRun,
  until: number | null,
): Promise<TagVersions | null> {
  const { store } = state;
  const kept = lease.tags.versions.filter(([tag]) => settings.tags.includes(tag));
  const names = new Set(kept.map(([tag]) => tag));
  const named = settings.tags.filter((tag) => !names.has(tag));
  // After a slow load, or with a longer ttl than at its beginning, counters may end before the
  // value, or have ended already.
  const asked = isShort(lease.tags.until, until) ? settings.tags : named;
  if (asked.length === 0) return kept;
  checkTags(store, named);
  if (store.supports.atomic === "no") return null;
  const versions = await versionsOf(state, asked, until);
  // Nothing was invalidated since the load began: the current counters are valid for its value.
  if ((await epochOf(store)) === lease.tags.epoch)
    return asked === named ? [...kept, ...versions] : versions;
  return named.length === 0 ? kept : null;
}
