import { type KeyedLock, keyedLock } from "../../concurrency/keyed-lock.ts";

/**
 * How long a write waits for the one before it, in milliseconds: about as long as that one may be
 * under way.
 */
const LONGEST = 30_000;

const orders = new WeakMap<object, KeyedLock>();

/**
 * The order of writes through a client: those of one key are made one after the other. The server
 * runs requests in parallel, also those that have timed out here: an earlier write could take
 * effect after a later one.
 */
export function callOrderOf(client: object): KeyedLock {
  const lock = orders.get(client) ?? keyedLock();
  orders.set(client, lock);
  return (keys, task) => {
    const until = performance.now() + LONGEST;
    return lock(keys, () => {
      // Its caller has given up long ago; or else a server that is gone for long would get all that
      // has been tried meanwhile.
      if (performance.now() > until)
        throw new Error("an earlier write of the same key got no answer");
      return task();
    });
  };
}
