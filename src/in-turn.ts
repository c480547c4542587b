import type { Store } from "./api.ts";
import { Order } from "./order.ts";
import { inOrder, WHOLE } from "./perform.ts";
import { contextOf, createStore } from "./store.ts";

/**
 * Runs an operation of several steps in call order, as one operation on these keys of the store.
 * `work` gets the same store inside its turn: its calls do not wait for the operation itself.
 */
export async function inTurn<V, T>(store: Store<V>, keys: readonly string[], work: (inside: Store<V>) => Promise<T>): Promise<T> {
  const context = contextOf(store);
  if (context === undefined) return work(store);
  const inside = createStore<V>({ ...context, order: new Order() }, {});
  return inOrder(context, { write: keys.map((key) => context.prefix + key) }, () => work(inside), WHOLE);
}
