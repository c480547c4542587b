import { decode } from "./checked.ts";
import type { StoreContext } from "./context.ts";
import { failWith } from "./failure.ts";
import { type Guarded, guardOf } from "./guarded.ts";
import { checkPrefix } from "../prefix.ts";
import { Iteration } from "../concurrency/batch-iterator.ts";
import { batches, type Drop, type Pair, whole } from "./pages.ts";
import { checkNoArguments } from "./no-arguments.ts";
import { performGuarded } from "./perform-guarded.ts";
import { StoredRecord } from "../record/record.ts";
import { dropExpired, sweptBy } from "./sweep.ts";
import { lanesOf } from "../concurrency/lanes.ts";
import { orderIn, WHOLE } from "./perform.ts";
import type { MaybePromise } from "../types.ts";
import { isFresh } from "../record/freshness.ts";

/**
 * The fresh records under `within` in bounded batches. `drop` gets the expired ones. The record
 * whose key equals the store's prefix belongs to the store around this one: here its key would be
 * empty.
 */
async function* freshBatches(
  { connection, prefix, timeout }: StoreContext,
  adapter: Guarded,
  values: boolean,
  drop: Drop,
  within: string = prefix,
): AsyncGenerator<readonly Pair[], void, undefined> {
  for await (const batch of batches(adapter, whole(within), values)) {
    const now = Date.now();
    yield batch.filter(([key, record]) => key !== prefix && isFresh(record, now));
    const expired = batch.filter(([, record]) => !isFresh(record, now));
    if (expired.length > 0) await drop(expired, now);
    // Closing the store ends the listing: this rejects then.
    await guardOf(connection, timeout);
  }
}

/** Starts behind all writes that were called before. Later writes do not wait for it. */
async function* stream(
  context: StoreContext,
  args: readonly unknown[],
): AsyncGenerator<readonly Pair[], void, undefined> {
  const { connection, prefix, timeout } = context;
  try {
    checkNoArguments("iterate", args);
  } catch (error) {
    failWith(connection, error, "listing");
  }
  const adapter = await guardOf(connection, timeout);
  await lanesOf(orderIn(context)).settled(prefix);
  yield* freshBatches(context, adapter, true, (expired, now) =>
    dropExpired(sweptBy(context, adapter), prefix, expired, now),
  );
}

/** `store.iterate()` */
export function iterateStore(
  context: StoreContext,
  args: readonly unknown[],
): AsyncGenerator<[string, never], void, undefined> {
  // A record may have expired since its batch was read.
  return new Iteration(stream(context, args), ([key, record]: Pair) =>
    isFresh(record, record.expires === null ? 0 : Date.now())
      ? [key.slice(context.prefix.length), decode(context, record.value, key)]
      : undefined,
  );
}

/**
 * Lists in call order: behind earlier writes under `within`, and before later ones. Expired records
 * that it found are removed afterwards, by writes that take their turn.
 */
export async function listInTurn<T>(
  context: StoreContext,
  within: string,
  work: (adapter: Guarded, drop: Drop) => MaybePromise<T>,
): Promise<T> {
  const expired: Pair[] = [];
  const drop: Drop = (found) => {
    for (const [key, { expires, version }] of found)
      expired.push([key, new StoredRecord(null, expires, version, null)]);
  };
  const result = await performGuarded(
    context,
    { readUnder: within },
    (adapter) => work(adapter, drop),
    WHOLE,
  );
  if (expired.length > 0) {
    const adapter = await guardOf(context.connection, context.timeout);
    await dropExpired(sweptBy(context, adapter), within, expired, Date.now());
  }
  return result;
}

async function collect<R>(
  batchesOf: AsyncIterable<readonly Pair[]>,
  take: (pair: Pair) => R,
): Promise<R[]> {
  const found: R[] = [];
  for await (const batch of batchesOf) for (const pair of batch) found.push(take(pair));
  return found;
}

/** `store.keys()` */
export const listKeys = (context: StoreContext): Promise<string[]> => {
  const { prefix } = context;
  const strip = (key: string): string => key.slice(prefix.length);
  return listInTurn(context, prefix, async (adapter, drop) => {
    if (adapter.keys !== undefined) return (await adapter.keys(prefix)).map(strip).filter(Boolean);
    if (adapter.freshKeys === undefined)
      return collect(freshBatches(context, adapter, false, drop), ([key]) => strip(key));
    const now = Date.now();
    const { keys, hasExpired } = await adapter.freshKeys(prefix, now);
    // Only that there is one counts: they are pruned together.
    if (hasExpired) await drop([[prefix, new StoredRecord(null, now, null, null)]], now);
    return (prefix === "" ? keys : keys.map(strip)).filter(Boolean);
  });
};

/** `store.values()` */
export const listValues = (context: StoreContext): Promise<unknown[]> => {
  const { prefix } = context;
  return listInTurn(context, prefix, async (adapter, drop) =>
    adapter.values === undefined
      ? collect(freshBatches(context, adapter, true, drop), ([key, { value }]) =>
          decode(context, value, key),
        )
      : (await adapter.values(prefix)).map((value) => decode(context, value, prefix)),
  );
};

/** `store.entries()`, and the pairs of `store.all(filter)`. */
export async function listPairs(
  context: StoreContext,
  filter: string,
): Promise<[string, unknown][]> {
  const { prefix } = context;
  const within = prefix + checkPrefix(filter);
  const take = ([key, record]: Pair): [string, unknown] => [
    key.slice(prefix.length),
    decode(context, record.value, key),
  ];
  return listInTurn(context, within, async (adapter, drop) => {
    if (adapter.entries === undefined)
      return collect(freshBatches(context, adapter, true, drop, within), take);
    const found = await adapter.entries(within);
    const now = Date.now();
    await drop(
      found.filter(([, record]) => !isFresh(record, now)),
      now,
    );
    return found.filter(([key, record]) => key !== prefix && isFresh(record, now)).map(take);
  });
}
