import { cdp } from "vitest/browser";
import { describe, expect, it } from "vitest";
import kv, { type Client } from "../../../src/index.ts";
import { database, deleteDatabase } from "../../support/browser-clients.ts";
import { behaves } from "../../suites/browser-suite.ts";
import { indexedDbBehaves } from "../../suites/idb-suite.ts";
import { isFull } from "../../support/runs.ts";

behaves(database);
indexedDbBehaves();

const devtools = (method: string, params: object): Promise<unknown> =>
  (cdp() as { send(method: string, params: object): Promise<unknown> }).send(method, params);

describe("INDEXEDDB in Chromium", () => {
  // Takes half a minute for 140 MB.
  it.runIf(isFull)(
    "refuses a value that is too large to be moved, and keeps the old one",
    async () => {
      const store = kv((await database.create()) as Client, { timeout: "3m" });
      await store.set("a", "old");
      const large = "x".repeat(140_000_000);
      await expect(store.set("a", large)).rejects.toMatchObject({
        code: "KV_TOO_LARGE",
        client: "INDEXEDDB",
        key: "a",
      });
      await expect(
        store.commit(
          [],
          [
            { key: "b", value: 1 },
            { key: "a", value: large },
          ],
        ),
      ).rejects.toMatchObject({ code: "KV_TOO_LARGE" });
      expect(await store.has("b")).toBe(false);
      expect(await store.get("a")).toBe("old");
      await store.close();
      await database.cleanup();
    },
  );

  it("opens a database again that the browser closed", async () => {
    const store = kv("indexeddb://forced");
    await store.set("a", 1);
    // As when a user clears the data of a site: connections are closed by force.
    await devtools("Storage.clearDataForOrigin", {
      origin: location.origin,
      storageTypes: "indexeddb",
    });
    expect(await store.get("a")).toBe(null);
    await store.set("a", 2);
    await devtools("Storage.clearDataForOrigin", {
      origin: location.origin,
      storageTypes: "indexeddb",
    });
    await store.set("b", 3);
    expect(await store.entries()).toEqual([["b", 3]]);
    await store.close();
    await deleteDatabase("forced");
  });
});
