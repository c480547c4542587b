import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { indexeddb, type IndexedDbOptions } from "../../src/clients/indexeddb/index.ts";
import { KEYS } from "../../src/conformance/samples.ts";
import kv, { type Store } from "../../src/index.ts";

import { deleteDatabase, inStore, requested } from "../support/browser-clients.ts";
import { PATIENT } from "../support/patient.ts";
import { compareKeys } from "../../src/record/utf8.ts";

/** A database that somebody else made. */
async function theirs(
  name: string,
  version: number,
  make: (db: IDBDatabase) => void,
): Promise<IDBDatabase> {
  const request = indexedDB.open(name, version);
  request.onupgradeneeded = () => make(request.result);
  return requested(request);
}

/** What has to hold for INDEXEDDB, in a browser and on a polyfill. */
export function indexedDbBehaves(): void {
  const DB = "anykv-test";
  const at = (options: IndexedDbOptions = {}): Store =>
    kv(indexeddb(indexedDB, { database: DB, ...options }), PATIENT);

  describe("INDEXEDDB", () => {
    let store: Store;
    beforeEach(async () => {
      await deleteDatabase(DB);
      store = at();
    });
    afterEach(async () => {
      await store.close();
      await deleteDatabase(DB);
    });

    it("is the database anykv and its object store kv, unless told otherwise", async () => {
      const plain = kv(indexedDB);
      await plain.set("a", 1);
      await kv("indexeddb://anykv/kv").set("b", 2);
      await kv("indexeddb://anykv").set("c", 3);
      await kv(new URL("indexeddb://anykv/")).set("d", 4);
      expect(await plain.keys()).toEqual(["a", "b", "c", "d"]);
      await deleteDatabase("anykv");
      await kv("indexeddb://anykv%2Dtest/a%2Fb%20c").set("a", 5);
      expect(await at({ store: "a/b c" }).entries()).toEqual([["a", 5]]);
    });

    it("refuses a URL that it cannot read", async () => {
      for (const url of [
        "indexeddb://",
        "indexeddb:///kv",
        "indexeddb://a/b/c",
        "indexeddb://a%zz",
      ]) {
        await expect(kv(url as never).get("a")).rejects.toMatchObject({
          code: "KV_INVALID_CLIENT",
          client: "INDEXEDDB",
        });
      }
    });

    it("orders keys by their UTF-8 bytes, in pages, both ways", async () => {
      const keys = [
        ...new Set([
          ...KEYS,
          "\ud7ff",
          "\ue000",
          "\ue7ff",
          "\ue800",
          "\uf8ff",
          "\uffff",
          "\u{10000}",
          "\u{1f389}",
          "a\u{1f389}",
          "a\uffff",
          "\u{10ffff}\u{10ffff}",
        ]),
      ].sort(compareKeys);
      await store.setMany(keys.map((key, i) => [key, i] as const));
      const collect = async (reverse: boolean, prefix = ""): Promise<string[]> => {
        const found: string[] = [];
        let cursor: string | null = null;
        do {
          const page: Awaited<ReturnType<Store["list"]>> = await store.list({
            limit: 7,
            cursor,
            reverse,
            prefix,
          });
          found.push(...page.entries.map(({ key }) => key));
          ({ cursor } = page);
        } while (cursor !== null);
        return found;
      };
      expect(await collect(false)).toEqual(keys);
      expect(await collect(true)).toEqual([...keys].reverse());
      for (const prefix of ["a", "\u{1f389}", "\uffff", "\ue000", "\u0000"]) {
        const under = keys.filter((key) => key.startsWith(prefix));
        expect(await collect(false, prefix)).toEqual(under);
        expect(await collect(true, prefix)).toEqual(under.reverse());
      }
    });

    it("finds nothing before the key that is the prefix itself", async () => {
      await store.setMany([
        ["a", 1],
        ["ab", 2],
      ]);
      const adapter = await indexeddb(indexedDB, { database: DB }).open();
      expect(
        await adapter.page!({ prefix: "a", after: "a", limit: 5, reverse: true, values: true }),
      ).toEqual({ entries: [], next: null });
      await adapter.close!();
    });

    it("keeps usual keys readable for other tools", async () => {
      await store.setMany([
        ["user:ann", 1],
        ["käse 漢字", 2],
      ]);
      expect(await inStore(DB, "kv", "readonly", (items) => items.getAllKeys())).toEqual(
        ["käse 漢字", "user:ann"].sort(),
      );
    });

    it("goes through more records than one transaction reads", async () => {
      const keys = Array.from({ length: 1234 }, (_, i) => `k${String(i).padStart(4, "0")}`);
      await store.setMany(keys.map((key) => [key, key] as const));
      expect(await store.keys()).toEqual(keys);
      expect(
        (await store.list({ limit: 1000, reverse: true })).entries.map(({ key }) => key),
      ).toEqual(keys.toReversed().slice(0, 1000));
    });

    it("keeps deadlines in an index, and nothing else", async () => {
      const expires = Date.now() + 60_000;
      await store.setMany([
        ["never", 1],
        ["later", 1],
      ]);
      await store.touch("later", new Date(expires));
      await inStore(DB, "kv", "readwrite", (items) => items.put({ kv: 2, expires: 5 }, "theirs"));
      const cursor = await inStore(DB, "kv", "readonly", (items) =>
        items.index("anykv").openKeyCursor(),
      );
      expect([cursor?.key, cursor?.primaryKey]).toEqual([[1, expires], "later"]);
      expect(
        await inStore(DB, "kv", "readonly", (items) => items.index("anykv").getAllKeys()),
      ).toEqual(["later", "theirs"]);
      const adapter = await indexeddb(indexedDB, { database: DB }).open();
      expect(await adapter.prune!({ prefix: "", now: expires, limit: Infinity })).toBe(1);
      expect(await inStore(DB, "kv", "readonly", (items) => items.getAllKeys())).toEqual([
        "never",
        "theirs",
      ]);
      await adapter.close!();
    });

    it("prunes by the index, under its prefix, up to the limit", async () => {
      const adapter = await indexeddb(indexedDB, { database: DB }).open();
      await store.setMany(
        ["a:1", "a:2", "b:1", "🎉1", "🎉2"].map((key) => [key, 1] as const),
        { expires: 3600 },
      );
      await store.set("a:forever", 1);
      const now = Date.now() + 3_600_001;
      expect(await adapter.prune!({ prefix: "a:", now: 0, limit: Infinity })).toBe(0);
      expect(await adapter.prune!({ prefix: "🎉", now, limit: 1 })).toBe(1);
      expect(await adapter.prune!({ prefix: "a:", now, limit: Infinity })).toBe(2);
      expect(await adapter.prune!({ prefix: "", now, limit: 1 })).toBe(1);
      expect(await adapter.prune!({ prefix: "", now, limit: 10 })).toBe(1);
      expect(await store.keys()).toEqual(["a:forever"]);
      await adapter.close!();
    });

    it("adds its object store to a foreign database, and leaves the rest as it is", async () => {
      const db = await theirs(DB, 4, (made) => made.createObjectStore("theirs").put("kept", "key"));
      db.onversionchange = () => db.close();
      await store.set("a", 1);
      await store.close();
      const after = await requested(indexedDB.open(DB));
      expect([after.version, [...after.objectStoreNames]]).toEqual([5, ["kv", "theirs"]]);
      after.close();
      expect(await inStore(DB, "theirs", "readonly", (items) => items.get("key"))).toBe("kept");
    });

    it("works in a foreign object store, without an index and beside any item", async () => {
      const db = await theirs(DB, 4, (made) => {
        const items = made.createObjectStore("kv", { autoIncrement: true });
        for (const [key, item] of [
          [1, "number"],
          ["text", "raw"],
          [["array"], {}],
          [new Uint8Array([97]), { kv: 1 }],
          ["null", null],
          ["almost", { kv: 2, text: "x" }],
        ] as const)
          items.put(item, key as IDBValidKey);
      });
      db.close();
      await store.setMany(
        [
          ["a", 1],
          ["b", 2],
        ],
        { expires: 0.005 },
      );
      await store.set("c", 3);
      await expect(store.get("text")).rejects.toMatchObject({ code: "KV_FOREIGN" });
      expect((await store.keys()).at(-1)).toBe("c");
      await expect.poll(() => store.has("a")).toBe(false);
      await store.prune();
      await store.clear();
      const after = await requested(indexedDB.open(DB));
      expect(after.version).toBe(4);
      expect(await requested(after.transaction("kv").objectStore("kv").count())).toBe(6);
      after.close();
    });

    it("refuses an object store with inline keys, and closes the database", async () => {
      (await theirs(DB, 1, (made) => made.createObjectStore("kv", { keyPath: "id" }))).close();
      for (let i = 0; i < 2; i++)
        await expect(store.set("a", 1)).rejects.toMatchObject({
          code: "KV_INVALID_CLIENT",
          client: "INDEXEDDB",
        });
      const request = indexedDB.deleteDatabase(DB);
      let blocked = false;
      request.onblocked = () => (blocked = true);
      await requested(request as IDBRequest<unknown>);
      expect(blocked).toBe(false);
    });

    it("tells a record whose head is damaged, too", async () => {
      await store.set("a", 1);
      for (const text of ["", "{}", 7, null]) {
        await inStore(DB, "kv", "readwrite", (items) =>
          items.put({ kv: 1, expires: null, text }, "a"),
        );
        await expect(store.get("a")).rejects.toMatchObject({ code: "KV_CORRUPT", key: "a" });
        await expect(store.values()).rejects.toMatchObject({ code: "KV_CORRUPT", key: "a" });
        expect(await store.keys()).toEqual(["a"]);
      }
      await store.clear();
      expect(await store.keys()).toEqual([]);
    });

    it("goes on after the database was deleted, and does not block that", async () => {
      await store.set("a", 1);
      const request = indexedDB.deleteDatabase(DB);
      let blocked = false;
      request.onblocked = () => (blocked = true);
      await requested(request as IDBRequest<unknown>);
      expect(blocked).toBe(false);
      expect(await store.get("a")).toBe(null);
      await store.set("b", 2);
      expect(await store.entries()).toEqual([["b", 2]]);
    });

    it("writes everything of a commit or nothing", async () => {
      await store.set("a", "old");
      await inStore(DB, "kv", "readwrite", (items) => items.put("raw", "theirs"));
      const changes = [
        { key: "a", value: "new" },
        { key: "b", value: 1 },
      ];
      await expect(store.commit([{ key: "theirs", version: null }], changes)).rejects.toMatchObject(
        { code: "KV_FOREIGN" },
      );
      expect(await store.commit([{ key: "a", version: "0".repeat(20) }], changes)).toEqual({
        ok: false,
        failed: ["a"],
      });
      expect(await store.entries()).toEqual([["a", "old"]]);
    });

    it("has finished its writes when close() resolves", async () => {
      await store.has("x");
      let written = 0;
      for (let i = 0; i < 50; i++) void store.set(`k${i}`, i).then(() => written++);
      await store.close();
      await new Promise((resolve) => setTimeout(resolve));
      expect(written).toBe(50);
      await expect(store.get("a")).rejects.toMatchObject({ code: "KV_CLOSED" });
    });
  });
}
