import { beforeEach, describe, expect, it, vi } from "vitest";
import kv, { type Store } from "../../src/index.ts";

const AREAS = { localStorage: () => localStorage, sessionStorage: () => sessionStorage };

/** What somebody else may have put into the same storage. */
const THEIRS: Record<string, string> = {
  "": "the empty key",
  token: "eyJhbGciOi",
  number: "123",
  json: '{"a":1}',
  null: "null",
  empty: "",
  list: "[1,2]",
  look: '{"value":1,"expires":null}',
  later: '{"kv":2,"version":"00000000000000000000","expires":null,"value":1}',
};

describe.each(Object.entries(AREAS))("a store over %s", (_, area) => {
  let storage: Storage;
  let store: Store;

  beforeEach(() => {
    vi.restoreAllMocks();
    storage = area();
    storage.clear();
    store = kv(storage);
  });

  const items = (): Record<string, string> =>
    Object.fromEntries(
      Array.from({ length: storage.length }, (_, i) => [
        storage.key(i)!,
        storage.getItem(storage.key(i)!)!,
      ]),
    );
  const pass = (ms: number): void => {
    const now = Date.now() + ms;
    vi.spyOn(Date, "now").mockReturnValue(now);
  };

  it("does not list, clear, prune or sweep foreign data of any form", async () => {
    for (const [key, text] of Object.entries(THEIRS)) storage.setItem(key, text);
    await store.set("mine", 1, { expires: "1h" });
    expect([
      await store.keys(),
      await store.entries(),
      (await store.list()).entries.length,
    ]).toEqual([["mine"], [["mine", 1]], 1]);
    for (const key of Object.keys(THEIRS).filter(Boolean)) {
      await expect(store.get(key)).rejects.toMatchObject({ code: "KV_FOREIGN", key });
      expect(await store.has(key)).toBe(false);
    }
    pass(3_600_000);
    await store.prune();
    for (let i = 0; i < 300; i++) await store.set(`w${i % 3}`, i);
    await store.prefix("").clear();
    expect(items()).toEqual(THEIRS);
  });

  it("does not leave every other key behind when it deletes while it lists", async () => {
    const many = Array.from({ length: 1001 }, (_, i) => [`a${i}`, i] as const);
    await store.setMany([...many, ["b", 1]]);
    for await (const [key] of store.prefix("a")) await store.del(`a${key}`);
    expect(Object.keys(items())).toEqual(["b"]);
    await store.setMany(many);
    await store.prefix("a").clear();
    expect(Object.keys(items())).toEqual(["b"]);
  });

  it("removes an expired secret by a clear, read, listing, prune or other write", async () => {
    const ways: (() => Promise<unknown>)[] = [
      () => store.prefix("s").clear(),
      () => store.get("s1"),
      () => store.entries(),
      () => store.keys(),
      () => store.prune(),
      async () => {
        for (let i = 0; i < 400; i++) await store.set(`w${i % 5}`, i);
      },
    ];
    for (const way of ways) {
      await store.set("s1", "secret", { expires: 1 });
      expect(storage.getItem("s1")).toContain("secret");
      pass(1000);
      await way();
      expect(storage.getItem("s1"), String(way)).toBe(null);
    }
  });

  it("does not take a prefix for a pattern, and does not fold case", async () => {
    const keys = ["user_1", "userX1", "USER_1", "user%1", "*1", "[a]1", "a1", "\\1", "a user_*[a]"];
    for (const prefix of ["user_", "user%", "*", "[a]", "\\", "user"]) {
      await store.setMany(keys.map((key) => [key, key]));
      expect(((await store.prefix(prefix).values()) as string[]).sort()).toEqual(
        keys.filter((key) => key.startsWith(prefix)).sort(),
      );
      await store.prefix(prefix).clear();
      expect(Object.keys(items()).sort()).toEqual(
        keys.filter((key) => !key.startsWith(prefix)).sort(),
      );
    }
  });

  it("does not meet its own methods when a key is called like one", async () => {
    for (const key of [
      "getItem",
      "setItem",
      "removeItem",
      "clear",
      "key",
      "length",
      "toString",
      "__proto__",
      "constructor",
    ]) {
      expect([key, await store.get(key), await store.has(key)]).toEqual([key, null, false]);
      await store.set(key, { called: key });
      expect([await store.get(key), await store.keys()]).toEqual([{ called: key }, [key]]);
      await store.del(key);
    }
    expect(storage.length).toBe(0);
  });

  it("does not lose falsy values, and hands out copies", async () => {
    await store.setMany([
      ["zero", 0],
      ["false", false],
      ["empty", ""],
      ["list", [1]],
    ]);
    (await store.get<number[]>("list"))!.push(2);
    expect(await store.all()).toEqual({ zero: 0, false: false, empty: "", list: [1] });
  });
});
