import type { Entry } from "../api.ts";
import { cachedEntry, type CacheEntry, type Freshness, freshnessOf } from "./entry.ts";
import { type CacheState, type FoundEntry, isAcross, withoutStore } from "./state.ts";
import { tagsOf } from "./tag-use.ts";

/** The stored entry of a key and the state of its tags. */
export const foundOf = (
  entry: CacheEntry | null,
  version: string | null | undefined,
  tags: Freshness = "fresh",
): FoundEntry => ({
  entry,
  version,
  freshness: freshnessOf(entry, Date.now(), tags),
  isRead: true,
});

/** Reads a key from the store. */
export async function find(state: CacheState, key: string): Promise<FoundEntry> {
  try {
    if (state.breaker.isOpen) return await state.breaker.ask(() => findNow(state, key));
    // The same with fewer promises: they cost a good part of what a hit costs beside its request.
    const answer = isAcross(state)
      ? versioned(state, key, await state.values.entry(key))
      : found(state, key, await state.values.get(key), undefined);
    return answer instanceof Promise ? await answer : answer;
  } catch (error) {
    state.breaker.note(error);
    withoutStore(state, error, key);
    return { entry: null, version: undefined, freshness: "absent", isRead: false };
  }
}

/** The same without a breaker. @throws what the store throws. */
export async function findNow(
  state: CacheState,
  key: string,
  // Only a commit needs the version, and `get()` is faster where the store is in this process.
  needsVersion: boolean = isAcross(state),
): Promise<FoundEntry> {
  const { values } = state;
  return needsVersion
    ? versioned(state, key, await values.entry(key))
    : found(state, key, await values.get(key), undefined);
}

const versioned = (
  state: CacheState,
  key: string,
  record: Entry<unknown> | null,
): FoundEntry | Promise<FoundEntry> =>
  found(state, key, record && record.value, record === null ? null : record.version);

/** What a stored value is. Makes a promise only where its tags have to be looked at. */
function found(
  state: CacheState,
  key: string,
  stored: unknown,
  version: string | null | undefined,
): FoundEntry | Promise<FoundEntry> {
  const entry = cachedEntry(stored, key);
  const known = entry === null ? null : version;
  return entry?.tags === undefined ? foundOf(entry, known) : tagged(state, entry, known);
}

async function tagged(
  state: CacheState,
  entry: CacheEntry,
  version: string | null | undefined,
): Promise<FoundEntry> {
  const [freshness] = await (await tagsOf(state)).look([entry.tags!]);
  return foundOf(entry, version, freshness);
}
