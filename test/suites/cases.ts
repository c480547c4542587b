import { it } from "vitest";

/** One statement about a store. The store is empty at first, and closed afterwards. */
export type CaseOf<S> = (name: string, work: (store: S) => Promise<void>) => void;

/** Runs each statement on a store of its own. `open` answers with an empty one. */
export function casesOn<S extends { close(): unknown }>(open: () => S | Promise<S>): CaseOf<S> {
  return (name, work) =>
    it(name, async () => {
      const store = await open();
      try {
        await work(store);
      } finally {
        await store.close();
      }
    });
}
