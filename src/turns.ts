import type { Store } from "./api.ts";
import type { StoreContext } from "./core.ts";
import { type Guarded, guard } from "./guard.ts";
import type { Scope } from "./lanes.ts";
import { Order } from "./order.ts";
import { inOrder, WHOLE } from "./perform.ts";
import { createStore } from "./store.ts";
import type { MaybePromise } from "./types.ts";

/** Runs the operations of an API over a store in call order, each as one operation on its keys. */
export class Turns {
  /** The store for the steps of an operation. They do not wait for the operation itself. */
  readonly inside: Store<unknown>;
  readonly #context: StoreContext;

  constructor(context: StoreContext) {
    this.#context = context;
    this.inside = createStore<unknown>({ ...context, order: new Order() }, {});
  }

  /**
   * Runs an operation of several steps when all earlier operations on its keys are over. Later ones
   * wait for it. The steps use {@link inside}, or the adapter with keys that have the store's prefix.
   *
   * @param scope keys and prefixes without the store's prefix.
   */
  async run<T>({ read, write, readUnder, writeUnder }: Scope, work: (adapter: Guarded) => MaybePromise<T>): Promise<T> {
    const { connection, timeout, prefix } = this.#context;
    const full = (keys: readonly string[]): string[] => keys.map((key) => prefix + key);
    const scope: Scope = {
      ...(read && { read: full(read) }),
      ...(write && { write: full(write) }),
      ...(readUnder !== undefined && { readUnder: prefix + readUnder }),
      ...(writeUnder !== undefined && { writeUnder: prefix + writeUnder }),
    };
    return inOrder(this.#context, scope, (adapter) => work(guard(connection, adapter, timeout)), WHOLE);
  }
}
