import { expect } from "vitest";
import type { Store } from "../../src/api.ts";

/** An iteration shows what was written by the one who iterates, on every page that follows. */
export async function seesItsOwnWrites(store: Store): Promise<void> {
  const key = (i: number): string => String(i).padStart(5, "0");
  await store.setMany(Array.from({ length: 3000 }, (_, i) => [key(i), i]));
  // Each in time before the page that it is on, in the order of the clients' pages of 500.
  const changes = new Map<string, () => Promise<unknown>>([
    [key(499), () => store.del(key(600))],
    [key(999), () => store.set(key(1100), "set")],
    [key(1499), () => store.setMany([[key(1600), "many"]])],
    [key(1999), () => store.commit([], [{ key: key(2100), value: "commit" }])],
  ]);
  const found = new Map<string, unknown>();
  for await (const [name, value] of store) {
    found.set(name, value);
    await changes.get(name)?.();
  }
  expect(found.size).toBe(2999);
  expect([600, 1100, 1600, 2100, 2101].map((i) => found.get(key(i)))).toEqual([
    undefined,
    "set",
    "many",
    "commit",
    2101,
  ]);
}
