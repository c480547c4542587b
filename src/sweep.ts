import type { Adapter, KvRecord } from "./types.ts";
import { batches, type Pair } from "./listing.ts";
import { isFresh, versionOf } from "./record.ts";

/** A sweep rides on every so many writes, and looks at as many records: a full round costs one look a write. */
const EVERY = 128;

/**
 * Deletes an expired record, unless somebody wrote the key in between. Resolves to whether it did.
 * Clients that drop expired records themselves need none of this.
 */
export async function evict(adapter: Adapter, key: string, record: KvRecord): Promise<boolean> {
  const version = versionOf(record);
  if (adapter.commit === undefined || version === null) return false;
  // At moment 0 no record has expired yet, so that the version is compared.
  const result = await adapter.commit([{ key, version }], [{ key, record: null }], 0);
  return result.ok;
}

/** Removes every expired record under a prefix. Resolves to how many. */
export async function pruneAll(adapter: Adapter, prefix: string): Promise<number> {
  const now = Date.now();
  if (adapter.prune !== undefined) return adapter.prune({ prefix, now, limit: Infinity });
  let removed = 0;
  for await (const batch of batches(adapter, { prefix, after: null, reverse: false }, false)) removed += await evictExpired(adapter, batch, now);
  return removed;
}

async function evictExpired(adapter: Adapter, batch: readonly Pair[], now: number): Promise<number> {
  const expired = batch.filter(([, record]) => !isFresh(record, now));
  const done = await Promise.all(expired.map(([key, record]) => evict(adapter, key, record)));
  return done.filter(Boolean).length;
}

/** Counts writes, and removes some expired records now and then: so data that nobody reads is freed without a timer. */
export class Sweeper {
  #writes = 0;
  #running = false;
  // Where the round stands, for clients without a sweep of their own.
  #round: AsyncGenerator<readonly Pair[], void, undefined> | null = null;

  /** To be called after each write; answers with a promise only when a sweep is due. */
  wrote(adapter: Adapter, count = 1): Promise<void> | undefined {
    this.#writes += count;
    return this.#writes < EVERY || this.#running ? undefined : this.#sweep(adapter);
  }

  async #sweep(adapter: Adapter): Promise<void> {
    this.#writes = 0;
    this.#running = true;
    try {
      const now = Date.now();
      if (adapter.prune !== undefined) {
        await adapter.prune({ prefix: "", now, limit: EVERY });
        return;
      }
      this.#round ??= batches(adapter, { prefix: "", after: null, reverse: false }, false, EVERY);
      const { done, value } = await this.#round.next();
      if (done) this.#round = null;
      else await evictExpired(adapter, value, now);
    } catch {
      // The write that this rode on has succeeded, and must say so. The next sweep tries again, and prune() tells.
      this.#round = null;
    } finally {
      this.#running = false;
    }
  }
}
