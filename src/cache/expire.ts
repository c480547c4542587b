import { untilDone } from "../concurrency/retry.ts";
import { type CacheEntry, freshnessOf, recordExpiry } from "./entry.ts";
import { findNow } from "./find.ts";
import { type CacheState, checkCacheKey } from "./state.ts";
import { write } from "./writes.ts";

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
