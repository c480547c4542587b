import { type Connection, SWEEP } from "./connection.ts";
import { type Guarded, guardOf } from "./guarded.ts";
import { batches, type Pair, whole } from "./pages.ts";
import { lanesOf } from "../concurrency/lanes.ts";
import type { Order } from "../concurrency/order.ts";

import type { KvRecord } from "../record/types.ts";
import { isFresh } from "../record/freshness.ts";
import { versionOf } from "../record/version.ts";

/** An open client whose expired records are deleted. */
export interface Swept {
  readonly adapter: Guarded;
  readonly order: Order;
  /** The time limit of a call, in milliseconds. */
  readonly timeout: number;
}

/**
 * Deletes an expired record, unless somebody wrote the key in between, or is about to. Resolves to
 * whether it did. Clients that drop expired records themselves need none of this.
 */
async function evict(
  { adapter, order, timeout }: Swept,
  key: string,
  record: KvRecord,
): Promise<boolean> {
  const version = versionOf(record);
  const { commit } = adapter;
  if (commit === undefined || version === null) return false;
  // At moment 0 no record has expired yet, so that the version is compared.
  const result = await lanesOf(order).attempt(
    { write: [key] },
    () => commit([{ key, version }], [{ key, record: null }], 0),
    timeout,
  );
  return result?.ok === true;
}

/** {@link evict} for a reader that has no guarded adapter yet. */
export async function evictFrom(
  connection: Connection,
  order: Order,
  timeout: number,
  key: string,
  record: KvRecord,
): Promise<void> {
  await evict({ adapter: await guardOf(connection, timeout), order, timeout }, key, record);
}

/** Removes every expired record under a prefix. Resolves to how many. */
export async function pruneAll(swept: Swept, prefix: string): Promise<number> {
  const now = Date.now();
  const { adapter } = swept;
  if (adapter.prune !== undefined) return adapter.prune({ prefix, now, limit: Infinity });
  return (await evictAll(swept, prefix, now)).removed;
}

/** Looks at every record under a prefix, and removes the expired ones. */
async function evictAll(
  swept: Swept,
  prefix: string,
  now: number,
): Promise<{ seen: number; removed: number }> {
  let [seen, removed] = [0, 0];
  for await (const batch of batches(swept.adapter, whole(prefix), false)) {
    seen += batch.length;
    removed += await evictExpired(swept, batch, now);
  }
  return { seen, removed };
}

async function evictExpired(swept: Swept, batch: readonly Pair[], now: number): Promise<number> {
  const expired = batch.filter(([, record]) => !isFresh(record, now));
  const done = await Promise.all(expired.map(([key, record]) => evict(swept, key, record)));
  return done.filter(Boolean).length;
}

/**
 * Removes what a listing found expired. A client that refuses is asked again by the next reader.
 */
export async function dropExpired(
  swept: Swept,
  prefix: string,
  batch: readonly Pair[],
  now: number,
): Promise<void> {
  const { adapter } = swept;
  try {
    if (adapter.prune === undefined) await evictExpired(swept, batch, now);
    else await adapter.prune({ prefix, now, limit: Infinity });
  } catch {
    // The reader gets what is there: that much is true whether or not the rest can be deleted.
  }
}

// Where the round over an ordered client stands; nothing is held open between two sweeps.
const rounds = new WeakMap<Guarded, AsyncGenerator<readonly Pair[], void, undefined>>();

/**
 * Removes some expired records: rides on every so many writes, so that data that nobody reads is
 * freed without a timer. Resolves to how many writes may pass until the next sweep.
 */
export async function sweep(connection: Connection, timeout: number): Promise<number> {
  const now = Date.now();
  const adapter = await guardOf(connection, timeout);
  const swept: Swept = { adapter, order: connection.order, timeout };
  try {
    if (adapter.prune !== undefined) {
      await adapter.prune({ prefix: "", now, limit: SWEEP });
      return SWEEP;
    }
    // A client that can only be listed as a whole is swept as a whole, but no more often than it
    // takes writes to pay for that.
    if (adapter.page === undefined) return Math.max(SWEEP, (await evictAll(swept, "", now)).seen);
    const round = rounds.get(adapter) ?? batches(adapter, whole(""), false, SWEEP);
    rounds.set(adapter, round);
    const { done, value } = await round.next();
    if (done) rounds.delete(adapter);
    else await evictExpired(swept, value, now);
  } catch {
    // The write that this rode on has succeeded, and must say so. The next sweep tries again, and
    // prune() tells.
    rounds.delete(adapter);
  }
  return SWEEP;
}
