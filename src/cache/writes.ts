import { newEntry, recordExpiry, servedUntil, withTags } from "./entry.ts";
import { KEEP_OPTIONS, type KeepOptions, cacheSettings } from "./options.ts";
import { type CacheState, checkCacheKey, outdate, outdateRead } from "./state.ts";
import { checkTags, versionsOf } from "./tag-use.ts";

/** Does a write. Reads of before and loads of before do not outlive it. */
export async function write<T>(state: CacheState, key: string, work: () => Promise<T>): Promise<T> {
  outdate(state, key);
  try {
    return await state.breaker.ask(work, true);
  } finally {
    outdateRead(state, key);
  }
}

/** Stores a value. */
export async function set(
  state: CacheState,
  key: string,
  value: unknown,
  options: KeepOptions | undefined,
): Promise<string> {
  const settings = cacheSettings(options, state.defaults, KEEP_OPTIONS, "set()");
  checkTags(state.store, settings.tags);
  checkCacheKey(state, key);
  return write(state, key, async () => {
    const now = Date.now();
    const entry = newEntry(value, settings, now);
    const until = servedUntil(entry);
    const isKept = until === null || until > now;
    const tags = isKept ? await versionsOf(state, settings.tags, until) : [];
    await state.values.set(key, isKept ? withTags(entry, tags) : null, {
      expires: recordExpiry(entry),
    });
    return key;
  });
}

/** Deletes a value. */
export async function del(state: CacheState, key: string): Promise<string> {
  checkCacheKey(state, key);
  return write(state, key, () => state.values.del(key));
}
