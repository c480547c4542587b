import { untilDone } from "../concurrency/retry.ts";
import { type CacheEntry, recordExpiry, freshnessOf, newEntry, servedUntil } from "./entry.ts";
import { findNow } from "./find.ts";
import { endOf } from "./lease.ts";
import { KEEP_OPTIONS, type KeepOptions, settingsOf } from "./options.ts";
import { type CacheState, checkCacheKey, outdate, outdateRead } from "./state.ts";

/** Does a write. Reads of before and loads of before do not outlive it. */
async function write<T>(state: CacheState, key: string, work: () => Promise<T>): Promise<T> {
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
  const settings = settingsOf(options, state.defaults, KEEP_OPTIONS, "set()");
  state.tags.check(settings.tags);
  checkCacheKey(state, key);
  return write(state, key, async () => {
    const { tags } = settings;
    const versions = tags.length === 0 ? [] : await state.tags.versions(tags, endOf(settings));
    const now = Date.now();
    const entry = newEntry(value, settings, now, versions);
    const until = servedUntil(entry);
    const isKept = until === null || until > now;
    await state.values.set(key, isKept ? entry : null, { expires: recordExpiry(entry) });
    return key;
  });
}

/** Deletes a value. */
export async function del(state: CacheState, key: string): Promise<string> {
  checkCacheKey(state, key);
  return write(state, key, () => state.values.del(key));
}

/** Makes a value stale: it is kept for its grace. Resolves to whether there was one. */
export async function expire(state: CacheState, key: string): Promise<boolean> {
  checkCacheKey(state, key);
  const { values, store } = state;
  return write(state, key, () =>
    untilDone(async () => {
      const { entry, freshness, version } = await findNow(state, key, true);
      if (freshness === "absent") return false;
      const { lease: _, ...rest } = entry!;
      const stale: CacheEntry = { ...rest, fresh: Date.now() };
      const isKept = freshnessOf(stale, stale.fresh!) === "stale";
      const value = isKept ? stale : null;
      const expires = isKept ? recordExpiry(stale) : null;
      if (store.supports.atomic === "no") {
        await values.set(key, value, { expires });
        return true;
      }
      const { ok } = await values.commit([{ key, version: version! }], [{ key, value, expires }]);
      return ok || null;
    }),
  );
}
