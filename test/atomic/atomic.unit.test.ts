import { describe, expect, it, vi } from "vitest";
import {
  atomic,
  increment,
  remove,
  replace,
  setIfAbsent,
  take,
  update,
} from "../../src/atomic/index.ts";
import kv, { type Store } from "../../src/index.ts";

/** A client of one's own that keeps bare values and has no versions: nothing can be compared. */
const versionless = (): Store => {
  const data = new Map<string, unknown>();
  return kv({
    EXPIRES: true,
    get: (key: string) => data.get(key),
    set: (key: string, value: unknown) => void data.set(key, value),
    del: (key: string) => void data.delete(key),
  });
};

describe("atomic()", () => {
  it("writes everything when all checks hold, and nothing when one fails", async () => {
    const store = kv();
    await store.setMany([
      ["a", 1],
      ["b", 2],
    ]);
    const [a, b] = [(await store.entry("a"))!, (await store.entry("b"))!];
    const done = await atomic(store)
      .check(a, { key: "c", version: null })
      .check(b)
      .set("c", 3, { expires: "1h", metadata: "m" })
      .del("a")
      .set("b", 20)
      .commit();
    expect(done).toEqual({ ok: true, version: (await store.entry("b"))!.version });
    expect(await store.all()).toEqual({ b: 20, c: 3 });
    expect(await store.entry("c")).toMatchObject({
      metadata: "m",
      expires: expect.any(Number) as number,
    });
    expect(
      await atomic(store).check(a, b, { key: "c", version: null }).set("d", 4).commit(),
    ).toEqual({ ok: false, failed: ["a", "b", "c"] });
    expect(await store.has("d")).toBe(false);
  });

  it("takes the later of two writes, and may be committed again", async () => {
    const store = kv();
    const transaction = atomic(store).set("a", 1).del("a").set("a", 2);
    expect((await transaction.commit()).ok).toBe(true);
    await store.del("a");
    expect((await transaction.commit()).ok).toBe(true);
    expect(await store.get("a")).toBe(2);
    expect((await atomic(store).commit()).ok).toBe(true);
  });

  it("refuses invalid checks at once: an absent key has no entry", async () => {
    const store = kv();
    for (const wrong of [await store.entry("absent"), undefined, "a"])
      expect(() => atomic(store).check(wrong as never)).toThrow(
        expect.objectContaining({ code: "KV_INVALID_VALUE" }) as Error,
      );
  });

  it("and the functions do not take a bare deadline for options", async () => {
    const store = kv();
    await store.set("a", 1);
    for (const bare of ["10s", 60, new Date(), null] as never[]) {
      expect(() => atomic(store).set("a", 2, bare)).toThrow(
        expect.objectContaining({ code: "KV_INVALID_EXPIRES" }) as Error,
      );
      for (const call of [
        () => increment(store, "a", 1, bare),
        () => setIfAbsent(store, "b", 1, bare),
        () => replace(store, "a", 2, bare),
        () => update(store, "a", () => 2, bare),
      ]) {
        await expect(call(), `${call} ${bare}`).rejects.toMatchObject({
          code: "KV_INVALID_EXPIRES",
        });
      }
    }
    expect(await store.all()).toEqual({ a: 1 });
  });

  it("rejects unknown options, and writes nothing", async () => {
    const store = kv();
    await store.set("a", 1);
    const rejection = {
      code: "KV_INVALID_VALUE",
      message: expect.stringContaining("ttl is not an option of") as string,
    };
    const options = { ttl: 60 } as never;
    expect(() => atomic(store).set("a", 2, options)).toThrow(
      expect.objectContaining(rejection) as Error,
    );
    const calls = [
      () => increment(store, "a", 1, options),
      () => setIfAbsent(store, "b", 1, options),
      () => replace(store, "a", 2, options),
      () => update(store, "a", () => 2, options),
    ];
    for (const call of calls) await expect(call()).rejects.toMatchObject(rejection);
    // It would check one key and write another.
    await expect(setIfAbsent(store, "b", 1, { prefix: "p:" } as never)).rejects.toMatchObject({
      code: "KV_INVALID_VALUE",
    });
    expect(await store.all()).toEqual({ a: 1 });
  });

  it("keeps operations for the next commit that are added after commit() began", async () => {
    const store = kv();
    const transaction = atomic(store).set("a", 1);
    const begun = transaction.commit();
    transaction.set("b", 2);
    await begun;
    expect(await store.all()).toEqual({ a: 1 });
  });

  it("takes 100 checks and 1,000 writes, and refuses one more of either", async () => {
    const store = kv();
    const [full, checks, writes] = [atomic(store), atomic(store), atomic(store)];
    for (let i = 0; i < 1000; i++) {
      full.set(`${i}`, i);
      writes.set(`w${i}`, i);
    }
    for (let i = 0; i < 100; i++) {
      full.check({ key: `absent ${i}`, version: null });
      checks.check({ key: `absent ${i}`, version: null });
    }
    expect((await full.commit()).ok).toBe(true);
    await expect(
      checks.check({ key: "one more", version: null }).set("x", 1).commit(),
    ).rejects.toMatchObject({ code: "KV_TOO_LARGE" });
    await expect(writes.del("one more").commit()).rejects.toMatchObject({ code: "KV_TOO_LARGE" });
    expect((await store.keys()).length).toBe(1000);
  });

  it("refuses invalid values before anything is written", async () => {
    const store = kv();
    await expect(
      atomic(store)
        .set("a", 1)
        .set("b", () => 1)
        .commit(),
    ).rejects.toMatchObject({ code: "KV_INVALID_VALUE" });
    await expect(atomic(store).set("a", 1).set("", 1).commit()).rejects.toMatchObject({
      code: "KV_INVALID_KEY",
    });
    expect(await store.keys()).toEqual([]);
  });
});

describe("update()", () => {
  it("sets, deletes for null, keeps for undefined, and resolves to the new value", async () => {
    const store = kv();
    expect(await update(store, "a", (value) => (value === null ? { n: 1 } : "wrong"))).toEqual({
      n: 1,
    });
    const before = await store.entry("a");
    expect(await update(store, "a", () => undefined)).toEqual({ n: 1 });
    expect(await store.entry("a")).toEqual(before);
    expect(await update(store, "a", async () => 0)).toBe(0);
    expect(await update(store, "a", () => null)).toBe(null);
    expect(await store.has("a")).toBe(false);
    expect(await update(store, "a", () => undefined)).toBe(null);
    expect(await update(store, "a", () => null)).toBe(null);
  });

  it("keeps deadline and metadata unless others are named", async () => {
    const store = kv().expires("1d");
    await store.set("a", 1, { expires: new Date("2999-01-01"), metadata: "m" });
    await update(store, "a", () => 2);
    expect(await store.entry("a")).toMatchObject({
      value: 2,
      expires: Date.parse("2999-01-01"),
      metadata: "m",
    });
    await update(store, "a", () => 3, { metadata: "n" });
    expect(await store.entry("a")).toMatchObject({
      value: 3,
      expires: Date.parse("2999-01-01"),
      metadata: "n",
    });
    await update(store, "a", () => 4, { expires: null });
    expect(await store.entry("a")).toMatchObject({ value: 4, expires: null, metadata: "n" });
    // Without a deadline before, the store's default does not sneak in.
    await update(store, "a", () => 5);
    expect((await store.entry("a"))!.expires).toBe(null);
    await update(store, "new", () => 1);
    expect((await store.entry("new"))!.expires).not.toBe(null);
  });

  it("begins again with the newer value when another process has written", async () => {
    const store = kv();
    await store.set("a", 1);
    const seen: unknown[] = [];
    const result = await update<number>(store as Store<number>, "a", async (value) => {
      seen.push(value);
      if (seen.length === 1) await store.set("a", 10);
      return value! + 1;
    });
    expect([seen, result, await store.get("a")]).toEqual([[1, 10], 11, 11]);
  });

  it("writes nothing when the change throws", async () => {
    const store = kv();
    await store.set("a", 1);
    const failure = new Error("mine");
    await expect(update(store, "a", () => Promise.reject(failure))).rejects.toBe(failure);
    expect(await store.get("a")).toBe(1);
  });

  it("loses nothing among 50 at once", async () => {
    const store = kv();
    await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        update(store as Store<number[]>, "list", (list) => [...(list ?? []), i]),
      ),
    );
    expect((await store.get<number[]>("list"))!.sort((a, b) => a - b)).toEqual(
      Array.from({ length: 50 }, (_, i) => i),
    );
  });
});

describe("increment()", () => {
  it("begins at 0, adds and subtracts, exactly among many", async () => {
    const store = kv();
    expect(await increment(store, "n")).toBe(1);
    expect(await increment(store, "n", -3)).toBe(-2);
    expect(await increment(store, "n", 0.5)).toBe(-1.5);
    const results = await Promise.all(Array.from({ length: 100 }, () => increment(store, "m")));
    expect(results.sort((a, b) => a! - b!)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
  });

  it("stays within min and max, and lets exactly as many pass", async () => {
    const store = kv();
    const attempts = await Promise.all(
      Array.from({ length: 20 }, () => increment(store, "limit", 1, { max: 5 })),
    );
    expect(attempts.filter((value) => value !== null).length).toBe(5);
    expect(await store.get("limit")).toBe(5);
    expect(await increment(store, "stock", -1, { min: 0 })).toBe(null);
    expect(await store.has("stock")).toBe(false);
  });

  it("gives a new number its deadline, and leaves that of an old one", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    try {
      const store = kv();
      await increment(store, "n", 1, { expires: "1m" });
      vi.advanceTimersByTime(40_000);
      await increment(store, "n", 1, { expires: "1m" });
      vi.advanceTimersByTime(20_000);
      expect(await store.has("n")).toBe(false);
      expect(await increment(store, "n", 1, { expires: "1m" })).toBe(1);
    } finally {
      vi.useRealTimers();
    }
  });

  it.each(["text", [1], true, { n: 1 }])("refuses to add to %j", async (value) => {
    const store = kv();
    await store.set("n", value);
    await expect(increment(store, "n")).rejects.toMatchObject({ code: "KV_INVALID_VALUE" });
    expect(await store.get("n")).toEqual(value);
  });

  it.each([NaN, Infinity, "1", 2 ** 53])("refuses to add %s", async (by) => {
    const store = kv();
    await expect(increment(store, "n", by as number)).rejects.toMatchObject({
      code: "KV_INVALID_VALUE",
    });
    expect(await store.has("n")).toBe(false);
  });
});

describe("setIfAbsent(), replace() and take()", () => {
  it("do so once, although others try", async () => {
    const store = kv();
    expect(await replace(store, "a", 1)).toBe(false);
    const won = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        setIfAbsent(store, "a", i, { expires: "1h", metadata: i }),
      ),
    );
    expect(won.filter(Boolean).length).toBe(1);
    const entry = await store.entry<number>("a");
    expect([won[entry!.value], entry!.metadata, entry!.expires !== null]).toEqual([
      true,
      entry!.value,
      true,
    ]);
    expect(await replace(store, "a", "new")).toBe(true);
    expect(await store.entry("a")).toMatchObject({ value: "new", expires: null, metadata: null });
    const taken = await Promise.all(Array.from({ length: 20 }, () => take(store, "a")));
    expect(taken.filter((value) => value !== null)).toEqual(["new"]);
    expect(await store.has("a")).toBe(false);
  });

  it("count falsy values as values and expired ones as absent", async () => {
    const store = kv();
    await store.set("zero", 0);
    expect(await setIfAbsent(store, "zero", 1)).toBe(false);
    expect(await take(store, "zero")).toBe(0);
    vi.useFakeTimers({ toFake: ["Date"] });
    try {
      await store.set("old", 1, { expires: 1 });
      vi.advanceTimersByTime(1000);
      expect(await replace(store, "old", 2)).toBe(false);
      expect(await take(store, "old")).toBe(null);
      expect(await setIfAbsent(store, "old", 3)).toBe(true);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("a client without compare-and-set", () => {
  it("is refused by all of them, and nothing is written", async () => {
    const calls: ((store: Store) => Promise<unknown>)[] = [
      (store) => update(store, "a", () => 1),
      (store) => increment(store, "a"),
      (store) => setIfAbsent(store, "a", 1),
      (store) => replace(store, "a", 1),
      (store) => take(store, "a"),
      (store) => atomic(store).set("a", 1).commit(),
    ];
    for (const call of calls) {
      const store = versionless();
      await store.set("a", 5);
      await expect(call(store)).rejects.toMatchObject({
        code: "KV_NOT_SUPPORTED",
        client: "CUSTOM",
      });
      expect(await store.get("a")).toBe(5);
    }
  });

  it("works over a promise of one, and under prefixes", async () => {
    const store = kv(Promise.resolve(new Map())).prefix("p:");
    expect(await increment(store, "n")).toBe(1);
    expect(await store.keys()).toEqual(["n"]);
  });
});

describe("remove()", () => {
  it("tells one of many that the key was there", async () => {
    const store = kv();
    await store.set("a", 0);
    const results = await Promise.all(Array.from({ length: 10 }, () => remove(store, "a")));
    expect(results.filter(Boolean)).toEqual([true]);
    expect([await store.has("a"), await remove(store, "a")]).toEqual([false, false]);
  });

  it("takes an expired key for absent", async () => {
    const store = kv();
    await store.set("a", 1, { expires: 0.001 });
    await vi.waitUntil(async () => !(await store.has("a")));
    expect(await remove(store, "a")).toBe(false);
  });

  it("is rejected without compare-and-set", async () => {
    await expect(remove(versionless(), "a")).rejects.toMatchObject({ code: "KV_NOT_SUPPORTED" });
  });
});
