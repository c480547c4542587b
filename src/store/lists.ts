import { KvError } from "../errors.ts";
import type { MaybePromise } from "../types.ts";
import type { Write } from "../record/types.ts";

/** How many single operations run at once on a client that cannot carry out many in one call. */
const AT_ONCE = 200;

/** The error for an argument that is no list of these items. */
export const noList = (items: string): KvError =>
  new KvError("KV_INVALID_VALUE", `a list of ${items} is needed`);

/** The items of a list argument. A text is iterable too, but passing one is a mistake. */
export function toArray<T>(list: Iterable<T>, items = "keys"): T[] {
  if (Object(list) !== list || !(Symbol.iterator in list)) throw noList(items);
  return [...list];
}

/** The last write to each key: the earlier ones have no effect. */
export const lastOfEach = (writes: readonly Write[]): Write[] => [
  ...new Map(writes.map((write) => [write.key, write])).values(),
];

/** The results of work on each item, in order. Works on a bounded number of items at a time. */
export async function mapLimit<T, R>(
  items: readonly T[],
  work: (item: T) => MaybePromise<R>,
): Promise<R[]> {
  const results: R[] = [];
  for (let i = 0; i < items.length; i += AT_ONCE)
    results.push(...(await Promise.all(items.slice(i, i + AT_ONCE).map(work))));
  return results;
}
