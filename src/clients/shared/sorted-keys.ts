import type { PageQuery } from "../adapter.ts";
import { compareKeys } from "../../record/utf8.ts";

/** The index of the first key that is not before some place in the order. */
function firstIndex(keys: readonly string[], isBefore: (key: string) => boolean): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isBefore(keys[middle]!)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * The keys of one page, out of all keys in order, and where the next page starts (`null` on the
 * last one).
 */
export function pageOf(
  keys: readonly string[],
  { prefix, after, limit, reverse }: Omit<PageQuery, "values">,
): { keys: string[]; next: string | null } {
  let from = firstIndex(keys, (key) => compareKeys(key, prefix) < 0);
  let to = firstIndex(keys, (key) => compareKeys(key, prefix) < 0 || key.startsWith(prefix));
  if (after !== null && reverse)
    to = Math.min(
      to,
      firstIndex(keys, (key) => compareKeys(key, after) < 0),
    );
  if (after !== null && !reverse)
    from = Math.max(
      from,
      firstIndex(keys, (key) => compareKeys(key, after) <= 0),
    );
  if (from >= to) return { keys: [], next: null };
  const page = reverse
    ? keys.slice(Math.max(from, to - limit), to).toReversed()
    : keys.slice(from, Math.min(to, from + limit));
  return { keys: page, next: page.length < to - from ? page.at(-1)! : null };
}
