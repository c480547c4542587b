import { increment } from "../atomic/index.ts";
import type { KvError } from "../errors.ts";
import { limited } from "./reply.ts";
import type { Space } from "./space.ts";

/** The most operations that are counted before they happen. */
const MOST_AHEAD = 256;
/** The part of the month's remaining limit that may be counted ahead. */
const PART_AHEAD = 1 / 256;

/**
 * The operations of a space in each month. Those that come at once are counted together: one write
 * for all of them. While many are left, some are counted ahead, so that the next ones need no
 * write.
 */
export class OperationCounter {
  readonly #space: Space;
  /** The number that was counted ahead, until when it can be used, and its limit. */
  #ahead = { count: 0, until: 0, perMonth: Infinity };
  /** How many there were in the store. */
  #total = Infinity;
  #waiting: {
    count: number;
    perMonth: number;
    resolve: () => void;
    reject: (error: unknown) => void;
  }[] = [];
  #isCounting = false;

  constructor(space: Space) {
    this.#space = space;
  }

  /** @throws {KvError} KV_RATE_LIMITED when there would be more than the limit. */
  count(count: number, perMonth: number): Promise<void> {
    if (perMonth === Infinity || count === 0) return Promise.resolve();
    const ahead = this.#ahead;
    if (count <= ahead.count && perMonth >= ahead.perMonth && Date.now() < ahead.until) {
      ahead.count -= count;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ count, perMonth, resolve, reject });
      if (!this.#isCounting) void this.#countAll();
    });
  }

  async #countAll(): Promise<void> {
    this.#isCounting = true;
    while (this.#waiting.length > 0) {
      const some = this.#waiting;
      this.#waiting = [];
      const all = some.reduce((sum, { count }) => sum + count, 0);
      const least = Math.min(...some.map(({ perMonth }) => perMonth));
      try {
        if (await this.#addAhead(all, least)) for (const { resolve } of some) resolve();
        // Not all of them fit: each by itself, in the order that they came in.
        else
          for (const each of some)
            await this.#add(each.count, each.perMonth).then((fits) =>
              fits ? each.resolve() : each.reject(this.#refusal(each.perMonth)),
            );
      } catch (error) {
        for (const { reject } of some) reject(error);
      }
    }
    this.#isCounting = false;
  }

  /**
   * Adds the operations that were not counted ahead, and counts some more ahead while that is a
   * small part of the rest.
   */
  async #addAhead(count: number, max: number): Promise<boolean> {
    const until = endOf(new Date());
    if (this.#ahead.until !== until) this.#ahead = { count: 0, until, perMonth: max };
    const ahead = this.#ahead;
    // Another limit, or none of its own as for the entries of a listing.
    if (ahead.count === 0) ahead.perMonth = max;
    if (ahead.perMonth !== max || max === Number.MAX_SAFE_INTEGER) return this.#add(count, max);
    const used = Math.min(ahead.count, count);
    ahead.count -= used;
    const kept = Math.min(MOST_AHEAD, Math.floor((max - this.#total) * PART_AHEAD));
    const more = Math.max(0, kept - ahead.count);
    if (used === count && more === 0) return true;
    const isAhead = more > 0 && (await this.#add(count - used + more, max));
    const isDone = isAhead || (await this.#add(count - used, max));
    if (isAhead) ahead.count += more;
    else if (!isDone) ahead.count += used;
    return isDone;
  }

  async #add(count: number, max: number): Promise<boolean> {
    const now = new Date();
    const key = `operations/${now.toISOString().slice(0, 7)}`;
    const options = { max, expires: new Date(endOf(now)) };
    const total = await increment(this.#space.root, key, count, options);
    this.#total = total ?? Infinity;
    return total !== null;
  }

  #refusal(perMonth: number): KvError {
    const now = new Date();
    return limited(
      `more than ${perMonth} operations in ${now.toISOString().slice(0, 7)}`,
      (endOf(now) - now.getTime()) / 1000,
    );
  }
}

const endOf = (now: Date): number => Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1);
