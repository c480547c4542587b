import type { Store } from "../api.ts";
import type { StoreContext } from "./context.ts";
import { type Guarded, guard } from "./guarded.ts";
import type { Scope } from "../concurrency/lanes.ts";
import { Order } from "../concurrency/order.ts";
import { inOrder, WHOLE } from "./perform.ts";
import { createStore } from "./store.ts";
import type { Adapter } from "../clients/adapter.ts";
import type { MaybePromise } from "../types.ts";

/**
 * Runs an operation of several steps in call order: when all earlier operations on its keys are
 * over. Later ones wait for it.
 *
 * @param scope full keys and prefixes.
 * @param calls `"counts"` for additions, which do not wait for each other where the client keeps
 * their order.
 */
export async function runInTurn<T>(
  context: StoreContext,
  scope: Scope,
  work: (adapter: Guarded) => MaybePromise<T>,
  calls?: "counts",
): Promise<T> {
  const { connection, timeout } = context;
  const guarded = (adapter: Adapter): MaybePromise<T> => work(guard(connection, adapter, timeout));
  return inOrder(context, scope, guarded, WHOLE, calls);
}

/** The turns of an API over a store. */
export class Turns {
  readonly #context: StoreContext;
  #inside: Store<unknown> | undefined;

  constructor(context: StoreContext) {
    this.#context = context;
  }

  /** The store for the steps of an operation. They do not wait for the operation itself. */
  get inside(): Store<unknown> {
    // Made when it is needed: it costs more than a turn.
    return (this.#inside ??= createStore<unknown>({ ...this.#context, order: new Order() }, {}));
  }

  /** {@link runInTurn} with keys and prefixes of the store. */
  run<T>(
    { read, write, readUnder, writeUnder }: Scope,
    work: (adapter: Guarded) => MaybePromise<T>,
    calls?: "counts",
  ): Promise<T> {
    const { prefix } = this.#context;
    const full = (keys: readonly string[]): string[] => keys.map((key) => prefix + key);
    const scope: Scope = {
      ...(read && { read: full(read) }),
      ...(write && { write: full(write) }),
      ...(readUnder !== undefined && { readUnder: prefix + readUnder }),
      ...(writeUnder !== undefined && { writeUnder: prefix + writeUnder }),
    };
    return runInTurn(this.#context, scope, work, calls);
  }
}
