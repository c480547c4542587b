import { type CacheEntry, recordExpiry } from "./entry.ts";
import { findNow } from "./find.ts";
import { type Lease, servable, tagsBefore } from "./lease.ts";
import type { CacheState, Flight, FlightStart } from "./state.ts";
import { untilChanged } from "./wait.ts";

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
  const { load, end } = flight;
  let found = first;
  let hasWaited = false;
  for (let attempt = 0; ; attempt++) {
    end.check();
    if (found.version === undefined || attempt > 0) found = await findNow(state, key);
    const { entry, freshness, version } = found;
    if (freshness === "fresh" && (hasWaited || !isForced)) return { entry: entry! };
    const now = Date.now();
    const until = entry?.lease ?? 0;
    if (until > now) {
      load.idle?.();
      if (!flight.isPatient) return null;
      hasWaited = true;
      const { signal } = end;
      await untilChanged(state, key, { version: version!, attempt, until, signal });
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
