import { type CacheEntry, cachedEntry, type Freshness, freshnessOf } from "./entry.ts";
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
    return await state.breaker.ask(() => findNow(state, key));
  } catch (error) {
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
  const record = needsVersion ? await values.entry(key) : undefined;
  const stored = record === undefined ? await values.get(key) : record && record.value;
  const entry = cachedEntry(stored, key);
  const [freshness] =
    entry?.tags === undefined ? [] : await (await tagsOf(state)).look([entry.tags]);
  const version = entry === null ? null : record?.version;
  return foundOf(entry, version, freshness);
}
