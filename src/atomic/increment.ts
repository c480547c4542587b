import type { Entry, Store } from "../api.ts";
import type { Counted } from "../clients/adapter.ts";
import { KvError } from "../errors.ts";
import { checkOptions } from "../platform/options.ts";
import type { Expires } from "../types.ts";
import { countWith } from "./count.ts";
import { kept, swap } from "./swap.ts";

/** Options of {@link increment}. */
export interface IncrementOptions {
  /**
   * The deadline of a number that begins with this call. An existing number keeps its own: a count
   * does not move the window.
   */
  expires?: Expires | undefined;
  /** The result may not be below. Default: none. */
  min?: number | undefined;
  /** The result may not be above. Default: none. */
  max?: number | undefined;
}

/** @throws {KvError} KV_INVALID_VALUE unless `by` is a number that can be stored. */
export function checkAddend(by: unknown, name: string): asserts by is number {
  if (typeof by !== "number" || !Number.isFinite(by))
    throw new KvError("KV_INVALID_VALUE", `${name}() adds a finite number, not this ${typeof by}`);
}

/**
 * A stored number and an addend.
 *
 * @throws {KvError} KV_INVALID_VALUE for another value, and for an inexact sum.
 */
export function sumOf<V>(store: Store<V>, entry: Entry<V> | null, key: string, by: number): number {
  const before: unknown = entry === null ? 0 : entry.value;
  const details = { client: store.type, key };
  if (typeof before !== "number")
    throw new KvError(
      "KV_INVALID_VALUE",
      `only numbers can be added to, and the stored value is a ${typeof before}`,
      details,
    );
  const sum = before + by;
  if (!Number.isFinite(sum) || (Number.isInteger(sum) && !Number.isSafeInteger(sum)))
    throw new KvError("KV_INVALID_VALUE", "the sum is beyond what a number holds exactly", details);
  return sum;
}

/**
 * Adds to a number; concurrent additions are not lost. An absent one begins at 0. On Redis it is
 * one script; elsewhere it is a commit, which is made again when another writer was faster.
 *
 * @param by how much; may be negative. Default 1.
 * @returns the new number; `null` when it would be below `min` or above `max`, and then nothing is
 * written.
 * @throws {KvError} KV_INVALID_VALUE when the stored value or `by` is no number, or a number cannot
 * hold the sum exactly; KV_NOT_SUPPORTED when `store.supports.atomic` is `"no"`.
 * @example
 * import kv from "anykv";
 * import { increment } from "anykv/atomic";
 *
 * const store = kv(new Map());
 * const attempt = () => increment(store, "login:ann", 1, { expires: "1m", max: 2 });
 * console.log(await attempt(), await attempt(), await attempt()); // 1 2 null
 */
export async function increment<V>(
  store: Store<V>,
  key: string,
  by: number = 1,
  options: IncrementOptions = {},
): Promise<number | null> {
  checkOptions(options, ["expires", "min", "max"], "increment()", "KV_INVALID_EXPIRES");
  checkAddend(by, "increment");
  const { expires, min = -Infinity, max = Infinity } = options;
  const byCommit = async (inside: Store<V>): Promise<Counted | null> => {
    let counted: Counted | null = null;
    await swap(inside, key, (entry) => {
      const sum = sumOf(inside, entry, key, by);
      if (!(sum >= min && sum <= max)) {
        counted = null;
        return undefined;
      }
      counted = { count: sum, expires: entry?.expires ?? null };
      return { value: sum, options: entry === null ? { expires } : kept(entry, undefined) };
    });
    return counted;
  };
  const addition = { by, expires, min, max, now: Date.now() };
  return (await countWith(store, key, addition, byCommit))?.count ?? null;
}
