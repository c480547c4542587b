import { isEarly } from "./entry.ts";
import { find } from "./find.ts";
import { startFlight } from "./flight.ts";
import { Loaded } from "./loaded.ts";
import type { CacheSettings } from "./options.ts";
import {
  type CacheState,
  type Decision,
  type Flight,
  type FoundEntry,
  isAcross,
  type Load,
  type KeyLookup,
} from "./state.ts";
import { openTier } from "./open-tier.ts";

const MOST_READS = 5;

/** The purpose of a lookup: a load, if the value has to be loaded. */
export interface LookupFor {
  readonly load: Load | null;
  readonly settings: CacheSettings;
  /** In place of the first read. */
  readonly read?: (() => Promise<FoundEntry>) | undefined;
}

/** Reads a key, and begins to load it where that is needed. Callers share what is under way. */
export function lookUp(state: CacheState, key: string, what: LookupFor): Promise<Decision> {
  const known = state.lookups.get(key);
  if (known !== undefined) return known.decision;
  const decide = async (): Promise<Decision> => {
    try {
      if (state.tiers !== null && state.l1 === null) await openTier(state);
      let read = what.read ?? (() => find(state, key));
      for (let attempt = 1; ; attempt++) {
        lookup.isOutdated = false;
        lookup.isChanged = false;
        const since = Date.now();
        const found = await read();
        // A key that is written all the time is read often enough.
        if (lookup.isOutdated && attempt < MOST_READS) {
          read = () => find(state, key);
          continue;
        }
        const isKept = found.freshness === "fresh" && !lookup.isOutdated && !lookup.isChanged;
        if (isKept) state.l1?.put(key, found.entry!, since, found.version);
        const served = new Loaded(found.entry?.value);
        return { found, served, flight: flightFor(state, key, what, found) };
      }
    } finally {
      state.lookups.delete(key);
    }
  };
  const lookup: { decision: Promise<Decision> } & KeyLookup = {
    isOutdated: false,
    isChanged: false,
    decision: undefined as never,
  };
  state.lookups.set(key, lookup);
  lookup.decision = decide();
  return lookup.decision;
}

/** The load that a caller has to wait for, or may wait for. */
function flightFor(
  state: CacheState,
  key: string,
  { load, settings }: LookupFor,
  found: FoundEntry,
): Flight | null {
  const { entry, freshness } = found;
  if (load === null) return null;
  const under = state.flights.get(key);
  const now = Date.now();
  const isHeld = (entry?.lease ?? 0) > now;
  if (freshness === "fresh") {
    if (isHeld || under !== undefined || !isEarly(entry!, settings.refreshAhead, now)) return null;
    return startFlight(state, key, load, { found, isForced: true, isPatient: false });
  }
  if (under !== undefined) return under;
  const isPatient = freshness === "absent" || settings.timeout > 0;
  // Another process loads it, or the last load failed a moment ago.
  if (freshness === "stale" && isHeld && !(isPatient && isAcross(state))) return null;
  return startFlight(state, key, load, { found, isForced: false, isPatient });
}
