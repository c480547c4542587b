import { type Connection, SWEEP } from "./connection.ts";
import type { StoreContext } from "./context.ts";
import { type Guarded, guardOf } from "./guarded.ts";
import { orderIn } from "./perform.ts";
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

export const sweptBy = (context: StoreContext, adapter: Guarded): Swept => ({
  adapter,
  order: orderIn(context),
  timeout: context.timeout,
});

/**
 * Deletes an expired record, unless another write of the key came in between, or is pending.
 * Resolves to whether it did. Clients that drop expired records themselves need none of this.
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
 * Removes records that a listing found expired. A client that refuses is asked again by the next
 * reader.
 */
export async function dropExpired(
  swept: Swept,
  prefix: string,
  batch: readonly Pair[],
  now: number,
): Promise<void> {
  const { adapter } = swept;
  try {
    // A client in memory would look at all of its records.
    if (adapter.prune === undefined || adapter.seek !== undefined)
      await evictExpired(swept, batch, now);
    else await adapter.prune({ prefix, now, limit: Infinity });
  } catch {
    // The reader gets the fresh records, whether or not the expired ones can be deleted.
  }
}

// Where the round over an ordered client is; nothing is held open between two sweeps.
const rounds = new WeakMap<Guarded, AsyncGenerator<readonly Pair[], void, undefined>>();

// Twice as many looks as writes: a round ends although each write adds a record.
const LOOKS = 2 * SWEEP;

/**
 * Removes some expired records. It rides on every so many writes, so that records that are never
 * read are removed without a timer. Sets how many writes may pass until the next sweep.
 */
export async function sweep(connection: Connection, timeout: number): Promise<void> {
  try {
    if (connection.source.supports.expires !== "native") await sweepSome(connection, timeout);
  } catch {
    // The write that this rode on has succeeded, and must say so. The next sweep tries again, and
    // prune() throws the error.
  }
  // A round that ended says itself when the next one is due.
  if (connection.sweepAt === Infinity) connection.sweepAt = SWEEP;
}

async function sweepSome(connection: Connection, timeout: number): Promise<void> {
  const adapter = await guardOf(connection, timeout);
  const swept: Swept = { adapter, order: connection.order, timeout };
  if (adapter.prune !== undefined)
    await adapter.prune({ prefix: "", now: Date.now(), limit: LOOKS });
  else if (adapter.page !== undefined) await sweepPage(swept);
  else if (slicesOf.has(connection) || adapter.deadlines?.known !== false)
    await sweepSlice(connection, swept);
}

/** One page of the round over an ordered client. */
async function sweepPage(swept: Swept): Promise<void> {
  const { adapter } = swept;
  const round = rounds.get(adapter) ?? batches(adapter, whole(""), false, LOOKS);
  rounds.set(adapter, round);
  try {
    const { done, value } = await round.next();
    if (done) rounds.delete(adapter);
    else await evictExpired(swept, value, Date.now());
  } catch (error) {
    rounds.delete(adapter);
    throw error;
  }
}

type Slices = AsyncGenerator<void, void, undefined>;

const slicesOf = new WeakMap<Connection, Slices>();

/**
 * One slice of the round over a client that can only list everything. The rest of the round goes on
 * beside other work, so that the client's iterator is soon closed.
 */
async function sweepSlice(connection: Connection, swept: Swept): Promise<void> {
  const current = slicesOf.get(connection);
  const round = current ?? slices(connection, swept);
  slicesOf.set(connection, round);
  const { done } = await round.next();
  if (!done && current === undefined) void connection.count(finish(connection, round));
}

/** Looks at everything in slices. Sets when the next round is due. */
async function* slices(connection: Connection, swept: Swept): Slices {
  const deadlines = swept.adapter.deadlines ?? { known: true };
  deadlines.known = false;
  let seen = 0;
  let inSlice = 0;
  let isOver = false;
  try {
    for await (const batch of batches(swept.adapter, whole(""), false, SWEEP)) {
      seen += batch.length;
      inSlice += batch.length;
      if (batch.some(([, { expires }]) => expires !== null)) deadlines.known = true;
      await evictExpired(swept, batch, Date.now());
      if (inSlice < SWEEP) continue;
      inSlice = 0;
      yield;
    }
    isOver = true;
  } finally {
    if (!isOver) deadlines.known = true;
    slicesOf.delete(connection);
    // The next round begins after as many writes as there are records.
    connection.sweepAt = Math.max(SWEEP, seen);
  }
}

/** The rest of a round: other work runs between two slices, and closing the store ends it. */
async function finish(connection: Connection, round: Slices): Promise<void> {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve));
    try {
      const { done } = connection.closing === null ? await round.next() : await round.return();
      if (done) return;
    } catch {
      // As in sweep(): the next round tries again.
      return;
    }
  }
}
