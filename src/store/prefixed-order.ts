import { type InOrder, Lanes, lanesOf, type Scope, useLanes } from "../concurrency/lanes.ts";
import type { Turn } from "../concurrency/turn.ts";
import { Order, type Written } from "../concurrency/order.ts";
import type { MaybePromise } from "../types.ts";

/** The call order of another store's client, for keys that lack that store's prefix. */
export class PrefixedOrder extends Order {
  readonly #order: Order;
  readonly #prefix: string;

  constructor(order: Order, prefix: string) {
    super();
    this.#order = order;
    this.#prefix = prefix;
    Object.defineProperty(this, "pending", { get: () => order.pending });
    useLanes(this, new PrefixedLanes(order, prefix));
  }

  override hold(until: Promise<unknown>): void {
    this.#order.hold(until);
  }

  override later<T>(work: () => MaybePromise<T>): Promise<T> {
    return this.#order.later(work);
  }

  override isHeld(): boolean {
    return this.#order.isHeld();
  }

  override listen(listener: (written: Written) => void): () => void {
    const prefix = this.#prefix;
    return this.#order.listen(({ write = [], writeUnder }) => {
      const inner = write.filter((key) => key.startsWith(prefix));
      const isAround = writeUnder !== undefined && prefix.startsWith(writeUnder);
      const under = isAround ? prefix : writeUnder;
      listener({
        write: inner.map((key) => key.slice(prefix.length)),
        ...(under?.startsWith(prefix) && { writeUnder: under.slice(prefix.length) }),
      });
    });
  }
}

class PrefixedLanes extends Lanes {
  readonly #lanes: Lanes;
  readonly #prefix: string;

  constructor(order: Order, prefix: string) {
    super(order);
    this.#lanes = lanesOf(order);
    this.#prefix = prefix;
  }

  #scope({ read = [], write = [], readUnder, writeUnder }: Scope): Scope {
    const full = (key: string): string => this.#prefix + key;
    return {
      read: read.map(full),
      write: write.map(full),
      ...(readUnder !== undefined && { readUnder: full(readUnder) }),
      ...(writeUnder !== undefined && { writeUnder: full(writeUnder) }),
    };
  }

  override run<T>(
    scope: Scope,
    work: () => MaybePromise<T>,
    ms?: number,
    inOrder?: InOrder,
    requests?: number,
  ): MaybePromise<T> {
    return this.#lanes.run(this.#scope(scope), work, ms, inOrder, requests);
  }

  override attempt<T>(
    scope: Scope,
    work: () => MaybePromise<T>,
    ms: number,
  ): MaybePromise<T> | null {
    return this.#lanes.attempt(this.#scope(scope), work, ms);
  }

  override track(key: string, isWrite: boolean, ms: number, isInOrder?: boolean): Turn {
    return this.#lanes.track(this.#prefix + key, isWrite, ms, isInOrder);
  }

  override end(turn: Turn, error?: unknown): void {
    this.#lanes.end(turn, error);
  }

  override settled(prefix: string): Promise<void> {
    return this.#lanes.settled(this.#prefix + prefix);
  }
}
