import { KvError } from "../errors.ts";
import type { Guarded } from "./guarded.ts";
import type { MaybePromise } from "../types.ts";
import type { KvRecord } from "../record/types.ts";
import type { Adapter, WalkQuery } from "../clients/adapter.ts";
import { compareKeys } from "../record/utf8.ts";
import { isFresh } from "../record/freshness.ts";

/** A full key and its record. */
export type Pair = readonly [key: string, record: KvRecord];

/** How many records a listing asks the client for at once. */
const PAGE = 500;

/** Gets the expired records that a listing finds. */
export type Drop = (expired: readonly Pair[], now: number) => MaybePromise<void>;

/** Which keys a listing looks for, and in which direction. */
export interface Range {
  /** Only full keys that start with this literal text. */
  readonly prefix: string;
  /** Start behind this full key, `null` for the start. */
  readonly after: string | null;
  readonly reverse: boolean;
}

/** Everything under a prefix, from the start. */
export const whole = (prefix: string): Range => ({ prefix, after: null, reverse: false });

/** Every record of the range in bounded batches, expired ones too; ordered where the client is. */
export async function* batches(
  adapter: Guarded,
  range: Range,
  values: boolean,
  size: number = PAGE,
): AsyncGenerator<readonly Pair[], void, undefined> {
  if (adapter.page !== undefined) {
    let { after } = range;
    do {
      const page = await adapter.page({ ...range, after, limit: size, values });
      yield page.entries;
      after = page.next;
    } while (after !== null);
    return;
  }
  let items: Iterator<Pair | null> | AsyncIterator<Pair | null> | undefined;
  // A client that is slow is heard as long as it gives a sign of life in time.
  let signs = 0;
  const gather = async (): Promise<{ batch: Pair[]; isLast: boolean }> => {
    items ??= iterator(adapter, range.prefix, values);
    const batch: Pair[] = [];
    while (batch.length < size) {
      const next = items.next();
      // Waiting for each item of a synchronous iterable would cost more than the item.
      const { done, value } = "then" in next ? await next : next;
      signs++;
      if (done) return { batch, isLast: true };
      if (value !== null) batch.push(value);
      else if (batch.length > 0) break;
    }
    return { batch, isLast: false };
  };
  let state: "reading" | "between" | "over" = "between";
  try {
    while (state !== "over") {
      state = "reading";
      const { batch, isLast } = await adapter.wait(gather(), () => signs);
      state = isLast ? "over" : "between";
      yield batch;
    }
  } finally {
    // A client that gave no answer gives none to this either, until it goes on.
    if (state === "reading") Promise.resolve(items?.return?.()).catch(() => {});
    if (state === "between") await adapter.wait(Promise.resolve(items?.return?.()), () => 0);
  }
}

/** @throws {KvError} KV_NOT_SUPPORTED for a client that cannot list. */
function iterator(
  { iterate }: Adapter,
  prefix: string,
  values: boolean,
): Iterator<Pair | null> | AsyncIterator<Pair | null> {
  if (iterate === undefined)
    throw new KvError(
      "KV_NOT_SUPPORTED",
      "this client cannot list its keys: one of your own needs iterate(prefix)",
    );
  const source = iterate(prefix, values);
  return Symbol.iterator in source ? source[Symbol.iterator]() : source[Symbol.asyncIterator]();
}

/** The values of a page up to this size are read one by one where all records are passed for it. */
export const SMALL = 500;

/** What a page of a listing is made of. */
interface Wanted {
  readonly range: Range;
  readonly limit: number;
  /** This key is left out. */
  readonly except: string;
  readonly values: boolean;
  /** It is given each batch with expired records. */
  readonly drop: Drop | undefined;
}

/** The fresh records of a batch, once `drop` has got the others. */
async function freshIn(batch: readonly Pair[], { except, drop }: Wanted): Promise<readonly Pair[]> {
  const now = Date.now();
  const expired = batch.filter(([, record]) => !isFresh(record, now));
  if (expired.length > 0) await drop?.(expired, now);
  // Without value and version: an item of others, which only a listing of keys shows.
  return batch.filter(
    ([key, record]) =>
      key !== except && isFresh(record, now) && (record.value !== null || record.version !== null),
  );
}

/** The records of a page by pages of the client; `null` when it has no order, or none yet. */
async function inOrder(adapter: Guarded, wanted: Wanted): Promise<Pair[] | null> {
  const page = adapter.page ?? adapter.seek;
  if (page === undefined) return null;
  const { range, limit, values } = wanted;
  const found: Pair[] = [];
  let { after } = range;
  do {
    const part = await page({ ...range, after, limit: Math.min(limit, PAGE), values });
    if (part === null) return null;
    found.push(...(await freshIn(part.entries, wanted)));
    after = part.next;
  } while (after !== null && found.length < limit);
  return found.slice(0, limit);
}

/**
 * The records of a page by passing all. It keeps no more than twice those and a batch in memory.
 */
async function sorted(adapter: Guarded, wanted: Wanted): Promise<Pair[]> {
  const { range, limit } = wanted;
  const values = wanted.values && limit > SMALL + 1;
  let found: Pair[] = [];
  const sign = range.reverse ? -1 : 1;
  const compare = (a: string, b: string): number => sign * compareKeys(a, b);
  const cut = (): Pair[] => found.sort(([a], [b]) => compare(a, b)).slice(0, limit);
  // Once there are enough, later keys are not needed.
  let last: string | null = null;
  for await (const batch of batches(adapter, range, values)) {
    for (const pair of await freshIn(batch, wanted)) {
      const isWanted =
        (range.after === null || compare(pair[0], range.after) > 0) &&
        (last === null || compare(pair[0], last) < 0);
      if (isWanted) found.push(pair);
    }
    if (found.length < 2 * limit) continue;
    found = cut();
    last = found.at(-1)![0];
  }
  return cut();
}

/**
 * Up to `limit` fresh records of a client without an order, from where another call has stopped,
 * and where to go on. It may find none although there are more.
 */
export async function walked(
  walk: NonNullable<Adapter["walk"]>,
  query: WalkQuery,
  except: string,
  drop: Drop,
): Promise<{ page: Pair[]; next: string | null }> {
  const { entries, next } = await walk(query);
  const range = { prefix: query.prefix, after: null, reverse: false };
  const wanted = { range, limit: query.limit, except, values: true, drop };
  return { page: [...(await freshIn(entries, wanted))], next };
}

/**
 * Up to `limit` fresh records of the range in key order, but for one key. `drop` is given each
 * batch with expired records. Values may be `null` where all records had to be passed.
 */
export async function ordered(
  adapter: Guarded,
  range: Range,
  limit: number,
  except: string,
  values: boolean,
  drop?: Drop,
): Promise<Pair[]> {
  const wanted: Wanted = { range, limit, except, values, drop };
  return (await inOrder(adapter, wanted)) ?? sorted(adapter, wanted);
}
