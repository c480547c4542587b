import type { Store } from "../api.ts";
import { contextOf } from "./store.ts";
import { Turns } from "./turns.ts";

/**
 * Runs an operation of several steps in call order, as one operation on these keys of the store.
 * `work` gets the same store inside its turn: its calls do not wait for the operation itself.
 */
export async function inTurn<V, T>(
  store: Store<V>,
  keys: readonly string[],
  work: (inside: Store<V>) => Promise<T>,
): Promise<T> {
  const context = contextOf(store);
  if (context === undefined) return work(store);
  const turns = new Turns(context);
  return turns.run({ write: keys }, () => work(turns.inside as Store<V>));
}
