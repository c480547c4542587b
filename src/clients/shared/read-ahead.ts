import type { Adapter, PageQuery } from "../adapter.ts";

/** From how many records on a page is one of a listing that will go on. */
const WHOLE = 500;

/** How many records are read ahead at most. */
const MOST = 4000;

/**
 * How long what was read ahead is good enough, in milliseconds: about as long as a page is, once it
 * is read.
 */
const FRESH = 50;

const noop = (): void => {};

/** Some of a range, as the server gives it, and whether there is more. */
export interface RowBatch<Row> {
  readonly rows: readonly Row[];
  readonly more: boolean;
}

interface Held<Row> {
  readonly query: PageQuery;
  readonly size: number;
  readonly at: number;
  readonly part: Promise<RowBatch<Row>>;
}

/**
 * Reads on while pages of a listing are taken apart, more with each step, so that the server and
 * this program work at the same time and meet less often. Who takes longer to ask for a page gets a
 * fresh one; who stops asking has made the server read some records for nothing.
 */
export class ReadAhead<Row> {
  readonly #read: (query: PageQuery) => Promise<RowBatch<Row>>;
  readonly #keyOf: (row: Row) => string | null;
  #held: Held<Row> | null = null;

  constructor(
    read: (query: PageQuery) => Promise<RowBatch<Row>>,
    keyOf: (row: Row) => string | null,
  ) {
    this.#read = read;
    this.#keyOf = keyOf;
  }

  /** Discards all records that were read ahead. */
  forget(): void {
    this.#held = null;
  }

  /** The next records of the range, up to the limit. */
  async page(query: PageQuery): Promise<RowBatch<Row>> {
    const held = this.#held;
    this.#held = null;
    const { limit } = query;
    if (limit < WHOLE) return this.#read(query);
    const isGood =
      held !== null && performance.now() - held.at <= FRESH && isNext(held.query, query);
    // A read that failed ahead of time may work by now.
    const part = isGood ? await held.part.catch(() => null) : null;
    const { rows, more } = part ?? (await this.#read(query));
    const page = rows.length > limit ? rows.slice(0, limit) : rows;
    const after = page.length === 0 ? null : this.#keyOf(page.at(-1)!);
    const next = { ...query, after };
    if (after === null) return { rows: page, more };
    if (page.length < rows.length)
      this.#held = {
        query: next,
        size: held!.size,
        at: held!.at,
        part: Promise.resolve({ rows: rows.slice(limit), more }),
      };
    else if (more) this.#hold(next, Math.min(MOST, 4 * (part === null ? limit : held!.size)));
    return { rows: page, more: more || page.length < rows.length };
  }

  #hold(query: PageQuery, size: number): void {
    const part = this.#read({ ...query, limit: Math.max(size, query.limit) });
    part.catch(noop);
    this.#held = { query, size, at: performance.now(), part };
  }
}

const isNext = (a: PageQuery, b: PageQuery): boolean =>
  a.prefix === b.prefix &&
  a.after === b.after &&
  a.limit === b.limit &&
  a.reverse === b.reverse &&
  a.values === b.values;

/**
 * The same adapter, which forgets what was read ahead with each write: whoever has written sees it
 * on the next page.
 */
export function forgetting(adapter: Adapter, forget: () => void): Adapter {
  const writing: { [name: string]: unknown } = { ...adapter };
  for (const name of ["set", "del", "setMany", "commit", "clear", "prune"] as const) {
    const write = adapter[name] as ((...args: unknown[]) => Promise<unknown>) | undefined;
    if (write !== undefined) writing[name] = (...args: unknown[]) => write(...args).finally(forget);
  }
  return writing as unknown as Adapter;
}
