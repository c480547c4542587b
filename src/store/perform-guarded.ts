import type { StoreContext } from "./context.ts";
import { type Guarded, guard } from "./guarded.ts";
import type { Scope } from "../concurrency/lanes.ts";
import { inOrder } from "./perform.ts";
import type { MaybePromise } from "../types.ts";

/**
 * Runs work on some keys in call order, with the guarded adapter of the store's client. The work
 * may take the timeout `times` times. `"one"` says that the work is one call of the adapter.
 */
export function performGuarded<T>(
  context: StoreContext,
  scope: Scope,
  work: (adapter: Guarded) => MaybePromise<T>,
  times?: number,
  calls?: "one",
): MaybePromise<T> {
  const { connection, timeout } = context;
  return inOrder(
    context,
    scope,
    (adapter) => work(guard(connection, adapter, timeout)),
    times,
    calls,
  );
}
