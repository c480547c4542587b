import type { Store } from "../api.ts";

/** Pairs whose keys are in order. */
export const numbered = (count: number): [string, number][] =>
  Array.from({ length: count }, (_, i) => [`n${String(i).padStart(5, "0")}`, i]);

/** How many records a listing is tried with: more than a page of any client that can hold many. */
export const many = (store: Store): number => (store.supports.valueBytes < 10_000 ? 30 : 1203);

/** Writes pairs, 400 at a time. */
export async function fill(store: Store, pairs: readonly [string, number][]): Promise<void> {
  for (let i = 0; i < pairs.length; i += 400) await store.setMany(pairs.slice(i, i + 400));
}
