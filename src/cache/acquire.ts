import { KvError } from "../errors.ts";
import { type CacheEntry, recordExpiry } from "./entry.ts";
import { findNow } from "./find.ts";
import { type Lease, servable, tagsBefore } from "./lease.ts";
import type { CacheState, Flight, FlightStart } from "./state.ts";
import { untilChanged } from "./wait.ts";

/** How many loads of other processes may fail while this one waits. */
const MOST_FAILURES = 2;

const notLoaded = (key: string): KvError =>
  new KvError(
    "KV_TIMEOUT",
    `loading ${JSON.stringify(key)} has failed ${MOST_FAILURES} times in other processes while ` +
      "this one waited",
    { key },
  );

/**
 * Takes the lease of a key. Resolves to the entry if another process has loaded it meanwhile, and
 * to `null` if one is loading it and no caller waits here.
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
  let failures: number | undefined;
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
      failures ??= entry!.failures ?? 0;
      // Callers do not wait for one process after the other to fail.
      if ((entry!.failures ?? 0) - failures >= MOST_FAILURES) throw notLoaded(key);
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
