import { increment } from "../atomic/index.ts";
import type { KvError } from "../errors.ts";
import { limited } from "./reply.ts";
import type { Space } from "./space.ts";

/**
 * The operations of a space in each month. Those that come at once are counted together: one write
 * for all of them.
 */
export class OperationCounter {
  readonly #space: Space;
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
        if (await this.#add(all, least)) for (const { resolve } of some) resolve();
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

  async #add(count: number, max: number): Promise<boolean> {
    const now = new Date();
    return (
      (await increment(this.#space.root, `operations/${now.toISOString().slice(0, 7)}`, count, {
        max,
        expires: new Date(endOf(now)),
      })) !== null
    );
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
