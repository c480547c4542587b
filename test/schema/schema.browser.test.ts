import kv from "../../src/index.ts";
import { deleteDatabase } from "../support/browser-clients.ts";
import { schemaSuite } from "../suites/schema-suite.ts";

schemaSuite(
  "INDEXEDDB in Chromium",
  async () => {
    await deleteDatabase("anykv");
    return kv(indexedDB, { timeout: "1m" });
  },
  { another: () => kv(indexedDB, { timeout: "1m" }) },
);
