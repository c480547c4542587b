import { describe, it } from "vitest";
import { conformance, type Subject } from "../../src/conformance/index.ts";
import kv from "../../src/index.ts";

/** Runs the conformance suite on a client directly, through a prefix, and through a store of a store. */
export function certify(name: string, subject: Subject): void {
  const { open, reopen, foreign } = subject;
  const prefix = "p%_*[x]:";
  const through: { [way: string]: Subject } = {
    directly: subject,
    [`through .prefix("${prefix}")`]: {
      ...subject,
      open: async () => (await open()).prefix(prefix),
      ...(reopen && { reopen: async (store) => (await reopen(store)).prefix(prefix) }),
      ...(foreign && {
        foreign: { put: (store, key) => foreign.put(store, prefix + key), has: (store, key) => foreign.has(store, prefix + key) },
      }),
    },
    "through kv(kv(client))": {
      ...subject,
      open: async () => kv(kv(await open())),
      ...(reopen && { reopen: async (store) => kv(kv(await reopen(store))) }),
    },
  };
  for (const [way, each] of Object.entries(through)) {
    describe(`${name} conforms ${way}`, () => {
      for (const test of conformance(each)) it(test.name, test.run);
    });
  }
}
