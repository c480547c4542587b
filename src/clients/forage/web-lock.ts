import { keyedLock } from "../../concurrency/keyed-lock.ts";

/**
 * Runs a task among others of the same name: with keys, beside those of other keys, and after those
 * of the same keys that were asked for before; without keys, all alone.
 */
export type Guard = <T>(task: () => Promise<T>, keys?: readonly string[]) => Promise<T>;

const inProcess = keyedLock();

/**
 * A guard for everything of this origin that uses the same name: for all tabs and workers where the
 * platform has Web Locks (browsers have them in secure contexts), otherwise only for this process,
 * one task at a time.
 */
export function webLock(name: string): Guard {
  const locks = (globalThis.navigator as Navigator | undefined)?.locks;
  return async (task, keys) => {
    if (locks === undefined) return inProcess([name], task);
    if (keys === undefined) return locks.request(name, task);
    const own = keys.map((key) => `${name} ${key}`);
    return locks.request(name, { mode: "shared" }, () => inProcess(own, task));
  };
}
