import kv, { type Client } from "../../src/index.ts";
import { certify } from "../suites/certify.ts";
import { subjects } from "../support/browser-clients.ts";
import { isFull } from "../support/runs.ts";

// Those that go through the same code of the browser as another one. `browser-in-node.test.ts` has
// them in each run.
const SAME = ["STORAGE on sessionStorage", "FORAGE on LOCALSTORAGE"];
const tried = subjects.filter(({ name }) => isFull || !SAME.includes(name));

for (const { name, create, cleanup, putForeign, hasForeign } of tried) {
  certify(name, {
    open: async () => kv((await create()) as Client, { timeout: "1m" }),
    cleanup,
    foreign: { put: (_store, key) => putForeign(key), has: (_store, key) => hasForeign(key) },
    runs: 15,
  });
}
