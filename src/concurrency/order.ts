import type { MaybePromise } from "../types.ts";

/** The full keys that an operation wrote, and the prefix under which it may have written any. */
export interface Written {
  readonly write?: readonly string[];
  readonly writeUnder?: string;
}

/**
 * The call order of the operations on one client. It holds operations back while a client is opened
 * or code is loaded. `lanesOf()` orders those that are under way.
 */
export class Order {
  /** How many operations are pending. While it is 0, single reads and writes need no order. */
  pending: number = 0;
  /** Operations that were called while something was held, in call order. */
  readonly #queue: (() => void)[] = [];
  #holds = 0;
  #isDraining = false;
  readonly #listeners = new Set<(written: Written) => void>();

  /**
   * Calls a listener after each write of this process, until the function that is returned is
   * called. Writes pay nothing for it while there is no listener.
   */
  listen(listener: (written: Written) => void): () => void {
    this.#listeners.add(listener);
    // Single writes that find nothing pending would not pass by here.
    this.pending++;
    return () => {
      if (this.#listeners.delete(listener)) this.pending--;
    };
  }

  /** Whether anything listens to writes. */
  get isHeard(): boolean {
    return this.#listeners.size > 0;
  }

  /** Tells the listeners of a write that is over, whether or not it succeeded. */
  publish(written: Written): void {
    for (const listener of this.#listeners) listener(written);
  }

  /** Holds all operations back until something settles, such as the loading of their code. */
  hold(until: Promise<unknown>): void {
    this.pending++;
    this.#holds++;
    const release = (): void => {
      this.pending--;
      this.#holds--;
      this.#drain();
    };
    until.then(release, release);
  }

  /** Runs work when nothing is held any more, behind all operations that were called before. */
  later<T>(work: () => MaybePromise<T>): Promise<T> {
    this.pending++;
    return new Promise((resolve, reject) => {
      this.#queue.push(() => {
        this.pending--;
        try {
          resolve(work());
        } catch (error) {
          reject(error);
        }
      });
      this.#drain();
    });
  }

  isHeld(): boolean {
    return this.#holds > 0 || (this.#queue.length > 0 && !this.#isDraining);
  }

  // In one step, so that nothing that is called meanwhile gets between two of them.
  #drain(): void {
    if (this.#isDraining) return;
    while (this.#holds === 0 && this.#queue.length > 0) {
      const next = this.#queue.shift()!;
      this.#isDraining = true;
      next();
      this.#isDraining = false;
    }
  }
}

const byObject = new WeakMap<object, Order>();
const byName = new Map<string, WeakRef<Order>>();

/**
 * The order that all stores over one client share; `own` where it has none. Equal URLs of files and
 * databases are one client. URLs of servers are not: their data depends on the token, too.
 */
export function orderOf(client: unknown, own: Order = new Order()): Order {
  if (typeof client === "string" || client instanceof URL)
    return /^https?:/i.test(String(client)) ? own : named(String(client), own);
  if (Object(client) !== client) return own;
  const order = byObject.get(client as object) ?? own;
  byObject.set(client as object, order);
  return order;
}

function named(name: string, own: Order): Order {
  const order = byName.get(name)?.deref() ?? own;
  // Older edge workers have no weak references; they have no files either.
  if (typeof WeakRef !== "function" || order !== own) return order;
  for (const [other, reference] of byName)
    if (reference.deref() === undefined) byName.delete(other);
  byName.set(name, new WeakRef(order));
  return order;
}
