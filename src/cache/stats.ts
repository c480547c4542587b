/** Counters of a cache since its creation. */
export interface CacheStats {
  /** Fresh values that were found, in either tier. */
  hits: number;
  /** How many of the hits were found in the first tier. */
  l1Hits: number;
  /** Stale values that were served. */
  staleHits: number;
  /** Calls that found nothing to serve. */
  misses: number;
  /** Calls of loaders. */
  loads: number;
  /** Calls of loaders that failed. */
  loadErrors: number;
  /** Callers that waited for a load of this process that another caller had begun. */
  coalesced: number;
  /** Loads that were not made because another process made them. */
  coalescedAcross: number;
  /** Loaded values that were not stored because a newer write was there. */
  outdated: number;
  /** Operations of the store that failed. */
  storeErrors: number;
  /** The values in the first tier, and about how many bytes they take. */
  l1Entries: number;
  l1Bytes: number;
}

export const newStats = (): CacheStats => ({
  hits: 0,
  l1Hits: 0,
  staleHits: 0,
  misses: 0,
  loads: 0,
  loadErrors: 0,
  coalesced: 0,
  coalescedAcross: 0,
  outdated: 0,
  storeErrors: 0,
  l1Entries: 0,
  l1Bytes: 0,
});
