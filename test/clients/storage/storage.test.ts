import { describe, expect, it } from "vitest";
import { storage, type StorageLike } from "../../../src/clients/storage/index.ts";
import kv from "../../../src/index.ts";
import { StoredRecord } from "../../../src/record/record.ts";
import { storages } from "../../support/browser-clients.ts";
import { behaves } from "../../suites/browser-suite.ts";
import { formatVersion, nextStamp } from "../../../src/record/version.ts";

for (const subject of storages) behaves(subject);

/** Something of the shape of Web Storage that fails in the way of a certain browser. */
function failing(error: unknown): StorageLike & { fail: boolean } {
  const items = new Map<string, string>();
  return {
    fail: false,
    get length() {
      return items.size;
    },
    key: (index) => [...items.keys()][index] ?? null,
    getItem: (key) => items.get(key) ?? null,
    setItem(key, value) {
      if (this.fail) throw error;
      items.set(key, value);
    },
    removeItem: (key) => void items.delete(key),
  };
}

describe("STORAGE", () => {
  const full = [
    new DOMException("full", "QuotaExceededError"),
    Object.assign(new Error("full"), { name: "NS_ERROR_DOM_QUOTA_REACHED", code: 1014 }),
    Object.assign(new Error("full"), { code: 22 }),
  ];
  for (const error of full) {
    it(`tells a full storage by ${error.name} ${"code" in error ? error.code : ""}`, async () => {
      const client = failing(error);
      const store = kv(client);
      await store.set("a", 1);
      client.fail = true;
      await expect(store.set("a", 2)).rejects.toMatchObject({
        code: "KV_QUOTA",
        key: "a",
        cause: error,
      });
      expect(await store.get("a")).toBe(1);
    });
  }

  it("passes other failures on", async () => {
    const error = new DOMException("denied", "SecurityError");
    const client = failing(error);
    client.fail = true;
    await expect(kv(client).set("a", 2)).rejects.toMatchObject({
      code: "KV_CONNECTION",
      cause: error,
    });
  });

  it("lists every key that stays while others are deleted", async () => {
    localStorage.clear();
    const store = kv(localStorage);
    await store.setMany(Array.from({ length: 10 }, (_, i) => [`k${i}`, i] as const));
    const adapter = await storage(localStorage).open();
    const seen: string[] = [];
    for (const [key] of adapter.iterate!("", true) as Iterable<readonly [string, unknown]>) {
      seen.push(key);
      await adapter.del(key);
    }
    expect(seen.sort()).toEqual(Array.from({ length: 10 }, (_, i) => `k${i}`));
    expect(localStorage.length).toBe(0);
  });

  it("commits in one synchronous step", async () => {
    localStorage.clear();
    const adapter = await storage(localStorage).open();
    const version = formatVersion(nextStamp());
    const result = adapter.commit!(
      [{ key: "a", version: null }],
      [{ key: "a", record: new StoredRecord(1, null, version, null) }],
      Date.now(),
    );
    expect(result).toEqual({ ok: true, version });
    expect(localStorage.getItem("a")).toBe(
      `{"kv":1,"version":"${version}","expires":null,"value":1}`,
    );
    localStorage.clear();
  });

  it("refuses a value that is no Web Storage", () => {
    expect(() => storage({ getItem: () => null } as never)).toThrow(
      expect.objectContaining({ code: "KV_INVALID_CLIENT" }),
    );
  });
});
