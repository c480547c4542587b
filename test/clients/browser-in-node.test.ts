// The clients of browsers on Node's own Web Storage and on fake-indexeddb, for quick runs.
// conformance.browser.test.ts runs the same in Chromium.
import "fake-indexeddb/auto";
import kv, { type Client } from "../../src/index.ts";
import { database, forages, storages } from "../support/browser-clients.ts";
import { certify } from "../suites/certify.ts";

for (const { name, create, cleanup, putForeign, hasForeign } of [
  ...storages,
  ...forages,
  database,
]) {
  certify(name, {
    open: async () => kv((await create()) as Client),
    cleanup,
    foreign: { put: (_store, key) => putForeign(key), has: (_store, key) => hasForeign(key) },
    runs: 10,
  });
}
