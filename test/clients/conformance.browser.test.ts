import kv, { type Client } from "../../src/index.ts";
import { certify } from "../suites/certify.ts";
import { subjects } from "../support/browser-clients.ts";

for (const { name, create, cleanup, putForeign, hasForeign } of subjects) {
  certify(
    name,
    {
      open: async () => kv((await create()) as Client, { timeout: "1m" }),
      cleanup,
      foreign: { put: (_store, key) => putForeign(key), has: (_store, key) => hasForeign(key) },
      runs: 15,
    },
    { wrappers: name === "INDEXEDDB" },
  );
}
