/**
 * Runs tasks that share a key one after the other, in the order of the calls; others run side by
 * side.
 */
export type KeyedLock = <T>(keys: readonly string[], task: () => T | Promise<T>) => Promise<T>;

/**
 * Makes a lock inside this process. All keys of a call are taken in one step, so that calls never
 * wait for one another in a circle. A key may be named twice.
 */
export function keyedLock(): KeyedLock {
  const tails = new Map<string, Promise<void>>();
  return async (keys, task) => {
    const before = keys.map((key) => tails.get(key));
    let release!: () => void;
    const tail = new Promise<void>((resolve) => (release = resolve));
    for (const key of keys) tails.set(key, tail);
    try {
      await Promise.all(before);
      return await task();
    } finally {
      release();
      for (const key of keys) if (tails.get(key) === tail) tails.delete(key);
    }
  };
}
