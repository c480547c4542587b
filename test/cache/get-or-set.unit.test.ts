import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { createCache, type CacheOptions, type LoadContext } from "../../src/cache/index.ts";
import { rich } from "../../src/codec.ts";
import { preload } from "./preload.ts";
import kv, { KvError } from "../../src/index.ts";

/** A promise, and the functions that settle it. */
function deferred<T>(): {
  promise: Promise<T>;
  resolve: (value: T) => void;
  reject: (error: unknown) => void;
} {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((yes, no) => ([resolve, reject] = [yes, no]));
  return { promise, resolve, reject };
}

/** A loader that counts its calls. */
function counting<T>(work: (call: number) => T | Promise<T>): { (): Promise<T>; calls: number } {
  const loader = async (): Promise<T> => work(++loader.calls);
  loader.calls = 0;
  return loader;
}

const tick = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);

beforeAll(preload);
beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A cache, and the errors that it has reported. */
function cacheWith(options: CacheOptions = {}) {
  const errors: unknown[] = [];
  const store = kv(new Map());
  const cache = createCache(store, {
    jitter: 0,
    onError: (error, { key, during }) => errors.push([(error as Error).message, key, during]),
    ...options,
  });
  return { cache, store, errors };
}

describe("getOrSet()", () => {
  it("loads a missing value once, and serves it until its ttl ends", async () => {
    const { cache } = cacheWith({ ttl: "10s" });
    const load = counting((n) => ({ n }));
    expect(await cache.getOrSet("a", load)).toEqual({ n: 1 });
    vi.advanceTimersByTime(9_999);
    expect(await cache.getOrSet("a", load)).toEqual({ n: 1 });
    vi.advanceTimersByTime(1);
    expect(await cache.getOrSet("a", load)).toEqual({ n: 2 });
    expect(cache.stats()).toMatchObject({ hits: 1, misses: 2, loads: 2, staleHits: 0 });
  });

  it("loads once for all callers at the same time, and gives each its own copy", async () => {
    const { cache } = cacheWith();
    const { promise, resolve } = deferred<{ tags: string[] }>();
    const load = counting(() => promise);
    const calls = Array.from({ length: 100 }, () => cache.getOrSet("a", load));
    await tick();
    resolve({ tags: [] });
    const values = await Promise.all(calls);
    values[0]!.tags.push("changed");
    expect(values[1]).toEqual({ tags: [] });
    expect(await cache.get("a")).toEqual({ tags: [] });
    expect(load.calls).toBe(1);
    expect(cache.stats()).toMatchObject({ loads: 1, misses: 100, coalesced: 99 });
  });

  it("takes the ttl from the store, and lets the call name another", async () => {
    const store = kv(new Map(), { expires: "1m" });
    const cache = createCache(store, { jitter: 0 });
    await cache.getOrSet("a", () => 1);
    await cache.getOrSet("b", () => 1, { ttl: "10s" });
    await cache.getOrSet("c", () => 1, { ttl: null });
    expect((await store.entry("v:a"))!.expires).toBe(Date.now() + 60_000);
    expect((await store.entry("v:b"))!.expires).toBe(Date.now() + 10_000);
    expect((await store.entry("v:c"))!.expires).toBe(null);
  });

  it("shortens the ttl by up to the jitter", async () => {
    const { cache, store } = cacheWith({ ttl: "100s", jitter: 0.1 });
    const random = vi.spyOn(Math, "random").mockReturnValue(0.5);
    await cache.getOrSet("a", () => 1);
    random.mockRestore();
    expect((await store.entry("v:a"))!.expires).toBe(Date.now() + 95_000);
  });

  it("serves a stale value at once while it loads in the background", async () => {
    const { cache } = cacheWith({ ttl: "10s", grace: "1m" });
    await cache.getOrSet("a", () => "old");
    vi.advanceTimersByTime(10_000);
    const { promise, resolve } = deferred<string>();
    const load = counting(() => promise);
    expect(await cache.getOrSet("a", load)).toBe("old");
    expect(await cache.getOrSet("a", load)).toBe("old");
    expect(await cache.get("a")).toBe(null);
    resolve("new");
    await tick();
    expect(await cache.getOrSet("a", load)).toBe("new");
    expect(load.calls).toBe(1);
    expect(cache.stats()).toMatchObject({ staleHits: 2, hits: 1, loads: 2 });
  });

  it("waits for the loader up to the timeout before it serves a stale value", async () => {
    const { cache } = cacheWith({ ttl: "10s", grace: "1m", timeout: "2s" });
    await cache.getOrSet("a", () => "old");
    vi.advanceTimersByTime(10_000);
    const slow = deferred<string>();
    let served = "";
    void cache.getOrSet("a", () => slow.promise).then((value) => (served = value));
    await vi.advanceTimersByTimeAsync(1_999);
    expect(served).toBe("");
    await vi.advanceTimersByTimeAsync(1);
    expect(served).toBe("old");
    slow.resolve("new");
    await tick();
    expect(await cache.getOrSet("a", () => "newer")).toBe("new");
    vi.advanceTimersByTime(10_000);
    expect(await cache.getOrSet("a", () => "newest")).toBe("newest");
  });

  it("serves no stale value whose grace has ended while a caller waited", async () => {
    const { cache } = cacheWith({ ttl: "10s", grace: "1s", timeout: "2s", hardTimeout: "5s" });
    await cache.getOrSet("a", () => "old");
    const answers: unknown[] = [];
    const ask = (load: () => Promise<string>): void =>
      void cache.getOrSet("a", load).then(
        (value) => answers.push(value),
        ({ code }: { code: string }) => answers.push(code),
      );
    await vi.advanceTimersByTimeAsync(10_500);
    const slow = deferred<string>();
    ask(() => slow.promise);
    await vi.advanceTimersByTimeAsync(4_000);
    expect(answers).toEqual([]);
    slow.resolve("new");
    await tick();
    expect(answers).toEqual(["new"]);
    expect(cache.stats()).toMatchObject({ staleHits: 0, misses: 2 });
    await vi.advanceTimersByTimeAsync(10_500);
    ask(() => new Promise(() => undefined));
    await vi.advanceTimersByTimeAsync(4_999);
    expect(answers).toEqual(["new"]);
    await vi.advanceTimersByTimeAsync(1);
    expect(answers).toEqual(["new", "KV_TIMEOUT"]);
  });

  it("rejects with KV_TIMEOUT after the hardTimeout, and keeps the later value", async () => {
    const { cache } = cacheWith({ hardTimeout: "500ms" });
    const slow = deferred<string>();
    const call = cache.getOrSet("a", () => slow.promise).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(500);
    expect(await call).toMatchObject({ code: "KV_TIMEOUT", key: "a" });
    slow.resolve("late");
    await tick();
    expect(await cache.get("a")).toBe("late");
  });

  it("rejects all callers when the loader fails, and loads again for the next", async () => {
    const { cache, errors } = cacheWith();
    const load = counting((n) => {
      if (n === 1) throw new Error("down");
      return n;
    });
    const calls = [cache.getOrSet("a", load), cache.getOrSet("a", load)];
    for (const call of calls) await expect(call).rejects.toThrow("down");
    expect(await cache.getOrSet("a", load)).toBe(2);
    expect(errors).toEqual([]);
    expect(cache.stats()).toMatchObject({ loads: 2, loadErrors: 1 });
  });

  it("serves a stale value when the loader fails, and does not try again at once", async () => {
    const { cache, errors } = cacheWith({ ttl: "10s", grace: "1m", timeout: "1s" });
    await cache.getOrSet("a", () => "old");
    vi.advanceTimersByTime(10_000);
    const load = counting(() => Promise.reject(new Error("down")));
    expect(await cache.getOrSet("a", load)).toBe("old");
    expect(await cache.getOrSet("a", load)).toBe("old");
    expect([load.calls, errors]).toEqual([1, [["down", "a", "load"]]]);
    vi.advanceTimersByTime(100);
    expect(await cache.getOrSet("a", load)).toBe("old");
    vi.advanceTimersByTime(100);
    expect(await cache.getOrSet("a", load)).toBe("old");
    expect(load.calls).toBe(2);
    vi.advanceTimersByTime(60_000);
    await expect(cache.getOrSet("a", load)).rejects.toThrow("down");
  });

  it("caches null and undefined only with a nullTtl", async () => {
    const { cache } = cacheWith({ ttl: "1m" });
    const load = counting(() => null);
    expect(await cache.getOrSet("a", load)).toBe(null);
    expect(await cache.getOrSet("a", load)).toBe(null);
    expect(load.calls).toBe(2);
    expect(await cache.has("a")).toBe(false);
    for (const empty of [null, undefined]) {
      const key = `${empty}`;
      const loadEmpty = counting(() => empty);
      for (let i = 0; i < 3; i++)
        expect(await cache.getOrSet(key, loadEmpty, { nullTtl: "5s" })).toBe(empty);
      expect(loadEmpty.calls).toBe(1);
      expect(await cache.has(key)).toBe(true);
      vi.advanceTimersByTime(5_000);
      expect(await cache.has(key)).toBe(false);
    }
  });

  it("forgets a stale value when the loader finds null, and keeps it when it skips", async () => {
    const { cache } = cacheWith({ ttl: "10s", grace: "1m", timeout: "1s" });
    await cache.set("a", "old");
    await cache.set("b", "old");
    vi.advanceTimersByTime(10_000);
    expect(await cache.getOrSet("a", () => null)).toBe(null);
    expect(await cache.getOrSet("a", () => "new")).toBe("new");
    expect(await cache.getOrSet("b", ({ skip }) => skip("skipped"))).toBe("skipped");
    expect(await cache.getOrSet("b", ({ fail }) => fail("no"))).toBe("old");
  });

  it("gives the loader the stale value, and lets it change the options", async () => {
    const { cache, store } = cacheWith({ ttl: "10s", grace: "1m", timeout: "1s" });
    const seen: unknown[] = [];
    for (const value of ["one", "two"]) {
      await cache.getOrSet("a", ({ stale, setOptions }) => {
        seen.push(stale);
        setOptions({ ttl: "5s", metadata: { etag: value } });
        return value;
      });
      vi.advanceTimersByTime(5_000);
    }
    expect(seen).toEqual([null, { value: "one", metadata: { etag: "one" } }]);
    expect((await store.entry("v:a"))!.expires).toBe(Date.now() + 60_000);
    const wrong = cache.getOrSet("b", ({ setOptions }) => setOptions({ ttl: "soon" }));
    await expect(wrong).rejects.toMatchObject({ code: "KV_INVALID_EXPIRES" });
  });

  it("loads with forceFresh even if the value is fresh", async () => {
    const { cache } = cacheWith({ ttl: "1m" });
    await cache.set("a", "old");
    expect(await cache.getOrSet("a", () => "new", { forceFresh: true })).toBe("new");
    expect(await cache.get("a")).toBe("new");
  });

  it("loads again early by chance, without a caller that waits (refreshAhead)", async () => {
    const { cache } = cacheWith({ ttl: "10s", refreshAhead: true });
    const load = counting(async (n) => {
      await new Promise((resolve) => setTimeout(resolve, 1000));
      return n;
    });
    const first = cache.getOrSet("a", load);
    await vi.advanceTimersByTimeAsync(1000);
    expect(await first).toBe(1);
    const random = vi.spyOn(Math, "random");
    // A load takes 1 s: e^-5 stands for 5 s, and the value stays fresh for 10 s.
    random.mockReturnValue(Math.exp(-5.0001));
    await vi.advanceTimersByTimeAsync(4_999);
    expect(await cache.getOrSet("a", load)).toBe(1);
    expect(load.calls).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(await cache.getOrSet("a", load)).toBe(1);
    await tick();
    expect(load.calls).toBe(2);
    await vi.advanceTimersByTimeAsync(1000);
    random.mockRestore();
    expect(await cache.get("a")).toBe(2);
  });

  it("rejects a caller that aborts, and ends the load with the last one", async () => {
    const { cache } = cacheWith();
    const [one, two] = [new AbortController(), new AbortController()];
    let signal!: AbortSignal;
    const load = (context: { signal: AbortSignal }): Promise<string> => {
      signal = context.signal;
      return new Promise(() => undefined);
    };
    const calls = [one, two].map((each) =>
      cache.getOrSet("a", load, { signal: each.signal }).catch((error: unknown) => error),
    );
    await tick();
    one.abort("first");
    expect(await calls[0]).toBe("first");
    expect(signal.aborted).toBe(false);
    two.abort("second");
    expect(await calls[1]).toBe("second");
    expect(signal.aborted).toBe(true);
    expect(await cache.getOrSet("a", () => "next")).toBe("next");
    const aborted = cache.getOrSet("b", load, { signal: one.signal });
    await expect(aborted).rejects.toBe("first");
  });

  it("does not store a value that was loaded before a set, del, expire or clear", async () => {
    const changes = {
      set: (cache: ReturnType<typeof createCache>) => cache.set("a", "set"),
      del: (cache: ReturnType<typeof createCache>) => cache.del("a"),
      expire: (cache: ReturnType<typeof createCache>) => cache.expire("a"),
      clear: (cache: ReturnType<typeof createCache>) => cache.clear(),
    };
    for (const [name, change] of Object.entries(changes)) {
      const { cache } = cacheWith();
      const slow = deferred<string>();
      const call = cache.getOrSet("a", () => slow.promise);
      await tick();
      await change(cache);
      const next = cache.getOrSet("a", () => "next");
      slow.resolve("loaded before");
      expect([name, await call]).toEqual([name, "loaded before"]);
      expect([name, await next]).toEqual([name, name === "set" ? "set" : "next"]);
      expect([name, await cache.get("a")]).toEqual([name, name === "set" ? "set" : "next"]);
    }
  });

  it("returns a value that the store rejects, and reports the error", async () => {
    const { cache, errors } = cacheWith();
    vi.useRealTimers();
    const value = { at: new Date(0) };
    expect(await cache.getOrSet("a", () => value)).toBe(value);
    await Promise.resolve();
    expect(errors).toEqual([[expect.stringMatching(/is a Date/), "a", "store"]]);
    expect(await cache.has("a")).toBe(false);
    expect(cache.stats().storeErrors).toBe(1);
  });

  it("keeps the values of a codec, in both tiers", async () => {
    vi.useRealTimers();
    const l2 = kv(new Map(), { codec: rich });
    const cache = createCache({ l1: {}, l2 });
    const value = { at: new Date(0), set: new Set([1n]), bytes: new Uint8Array([1]) };
    for (let i = 0; i < 3; i++) expect(await cache.getOrSet("a", () => value)).toEqual(value);
    expect(cache.stats()).toMatchObject({ l1Hits: 2, loads: 1 });
    const copy = (await cache.get("a")) as typeof value;
    copy.set.clear();
    expect(await cache.get("a")).toEqual(value);
  });
});

describe("a promise of a client", () => {
  it("has the features of the client, from the first call", async () => {
    const make = async (): Promise<DatabaseSync> => new DatabaseSync(":memory:");
    for (const input of [make(), { l1: {}, l2: make() }]) {
      const cache = createCache(input, { ttl: "1m" });
      const load = counting(() => "loaded");
      const calls = [1, 2].map(() => cache.getOrSet("a", load, { tags: ["t"] }));
      expect(await Promise.all(calls)).toEqual(["loaded", "loaded"]);
      await cache.delTags(["t"]);
      expect([await cache.get("a"), load.calls]).toEqual([null, 1]);
      await cache.close();
    }
  });
});

describe("the other methods", () => {
  it("get, set, has and del", async () => {
    const { cache } = cacheWith({ ttl: "10s" });
    expect([await cache.get("a"), await cache.has("a")]).toEqual([null, false]);
    expect(await cache.set("a", { n: 1 }, { ttl: "20s" })).toBe("a");
    vi.advanceTimersByTime(19_999);
    expect([await cache.get("a"), await cache.has("a")]).toEqual([{ n: 1 }, true]);
    vi.advanceTimersByTime(1);
    expect(await cache.has("a")).toBe(false);
    await cache.set("a", 1);
    expect(await cache.del("a")).toBe("a");
    expect(await cache.get("a")).toBe(null);
    await cache.set("a", 1);
    await cache.set("a", null);
    expect(await cache.has("a")).toBe(false);
  });

  it("expire() keeps a value for its grace", async () => {
    const { cache } = cacheWith({ ttl: "1h", grace: "10s" });
    await cache.set("a", "old");
    await cache.set("b", "old", { grace: 0 });
    expect([await cache.expire("a"), await cache.expire("b")]).toEqual([true, true]);
    expect([await cache.get("a"), await cache.expire("missing")]).toEqual([null, false]);
    const failing = (): never => {
      throw new Error("down");
    };
    await expect(cache.getOrSet("b", failing)).rejects.toThrow("down");
    vi.advanceTimersByTime(9_999);
    expect(await cache.getOrSet("a", failing)).toBe("old");
    await tick();
    vi.advanceTimersByTime(1);
    await expect(cache.getOrSet("a", failing)).rejects.toThrow("down");
  });

  it("getOrSetMany() loads all missing values by one call", async () => {
    const { cache } = cacheWith();
    await cache.set("b", "cached");
    const slow = deferred<string>();
    const other = cache.getOrSet("d", () => slow.promise);
    await tick();
    const asked: string[][] = [];
    const load = async (keys: readonly string[]): Promise<string[]> => {
      asked.push([...keys]);
      return keys.map((key) => `loaded ${key}`);
    };
    const call = cache.getOrSetMany(["a", "b", "c", "d", "a"], load);
    await tick();
    expect(asked).toEqual([["a", "c"]]);
    slow.resolve("by another");
    expect(await call).toEqual(["loaded a", "cached", "loaded c", "by another", "loaded a"]);
    expect(await cache.getOrSetMany(["c", "a"], load)).toEqual(["loaded c", "loaded a"]);
    expect([asked.length, await other]).toEqual([1, "by another"]);
  });

  it("getOrSetMany() calls that share keys in another order do not block each other", async () => {
    const { cache } = cacheWith();
    const load = async (keys: readonly string[]): Promise<string[]> => [...keys];
    const calls = [
      cache.getOrSetMany(["a", "b", "c"], load),
      cache.getOrSetMany(["c", "b", "d"], load),
      cache.getOrSetMany(["d", "a"], load),
    ];
    expect(await Promise.all(calls)).toEqual([
      ["a", "b", "c"],
      ["c", "b", "d"],
      ["d", "a"],
    ]);
  });

  it("getOrSetMany() rejects when the loader fails or returns something else", async () => {
    const { cache } = cacheWith();
    const failing = cache.getOrSetMany(["a"], () => Promise.reject(new Error("down")));
    await expect(failing).rejects.toThrow("down");
    const short = cache.getOrSetMany(["a", "b"], () => ["one"]);
    await expect(short).rejects.toMatchObject({ code: "KV_INVALID_VALUE" });
    expect(await cache.getOrSetMany([], () => [])).toEqual([]);
  });

  it("wrap() caches the results of a function", async () => {
    const { cache } = cacheWith();
    let calls = 0;
    const add = async (a: number, b: number): Promise<number> => (calls++, a + b);
    const cached = cache.wrap(add, { key: (a, b) => `${a}+${b}`, ttl: "1m" });
    expect([await cached(1, 2), await cached(1, 2), await cached(2, 2)]).toEqual([3, 3, 4]);
    expect(calls).toBe(2);
  });

  it("clear() deletes the values of the cache and nothing else", async () => {
    const { cache, store } = cacheWith();
    await store.set("other", 1);
    await cache.set("a", 1, { tags: ["t"] });
    await cache.clear();
    expect(await cache.has("a")).toBe(false);
    expect(await store.all()).toEqual({ other: 1 });
  });

  it("close() ends loads, and the store of a client", async () => {
    const store = kv(new Map());
    const [passed, own] = [createCache(store), createCache(new Map())];
    for (const cache of [passed, own]) {
      await cache.set("b", 1);
      const call = cache.getOrSet("a", () => new Promise(() => undefined));
      const rejected = expect(call).rejects.toMatchObject({ code: "KV_CLOSED" });
      await tick();
      await cache.close();
      await rejected;
      await expect(cache.get("b")).rejects.toMatchObject({ code: "KV_CLOSED" });
      await expect(cache.set("b", 1)).rejects.toMatchObject({ code: "KV_CLOSED" });
    }
    expect(await store.has("v:b")).toBe(true);
  });
});

describe("bad input", () => {
  const rejections: readonly [code: string, options: object][] = [
    ["KV_INVALID_EXPIRES", { ttl: "10 minuts" }],
    ["KV_INVALID_EXPIRES", { ttl: -1 }],
    ["KV_INVALID_EXPIRES", { grace: "later", ttl: 1 }],
    ["KV_INVALID_EXPIRES", { timeout: null }],
    ["KV_INVALID_EXPIRES", { timeout: 5000 }],
    ["KV_INVALID_EXPIRES", { hardTimeout: 5000 }],
    ["KV_INVALID_EXPIRES", { hardTimeout: "1M" }],
    ["KV_INVALID_EXPIRES", { nullTtl: Number.NaN }],
    ["KV_INVALID_VALUE", { grace: "1h" }],
    ["KV_INVALID_VALUE", { jitter: 2 }],
    ["KV_INVALID_VALUE", { refreshAhead: -1 }],
    ["KV_INVALID_VALUE", { tags: "users" }],
    ["KV_INVALID_VALUE", { tags: [1] }],
    ["KV_INVALID_KEY", { tags: [""] }],
    ["KV_INVALID_VALUE", { forceFresh: 1 }],
    ["KV_INVALID_VALUE", { signal: {} }],
    ["KV_INVALID_VALUE", { expires: "1h" }],
  ];

  it("is rejected at the call, and nothing is loaded or written", async () => {
    const { cache, store } = cacheWith();
    const load = counting(() => 1);
    for (const [code, options] of rejections) {
      const what = JSON.stringify(options);
      await expect(cache.getOrSet("a", load, options), what).rejects.toMatchObject({ code });
      await expect(cache.getOrSetMany(["a"], load as never, options), what).rejects.toMatchObject({
        code,
      });
    }
    for (const loader of [undefined, "value", 1])
      await expect(cache.getOrSet("a", loader as never)).rejects.toMatchObject({
        code: "KV_INVALID_VALUE",
      });
    await expect(cache.getOrSet("", load)).rejects.toMatchObject({ code: "KV_INVALID_KEY" });
    await expect(cache.getOrSet(1 as never, load)).rejects.toMatchObject({
      code: "KV_INVALID_KEY",
    });
    await expect(cache.set("a", 1, { ttl: "x" })).rejects.toMatchObject({
      code: "KV_INVALID_EXPIRES",
    });
    expect(load.calls).toBe(0);
    expect(await store.keys()).toEqual([]);
  });

  it("of createCache() and wrap() throws at once", () => {
    const codeOf = (work: () => unknown): unknown => {
      try {
        work();
      } catch (error) {
        return (error as KvError).code;
      }
      return undefined;
    };
    const { cache } = cacheWith();
    expect([
      codeOf(() => createCache("redis://localhost" as never)),
      codeOf(() => createCache(new Map(), { grace: "1h" })),
      codeOf(() => createCache(new Map(), { ttl: "1m", grace: "1h", tags: ["a"] } as never)),
      codeOf(() => createCache(new Map(), { onStoreError: "ignore" as never })),
      codeOf(() => createCache(new Map(), { lease: "soon" })),
      codeOf(() => createCache({ l1: { entries: 0 }, l2: new Map() })),
      codeOf(() => createCache({ l1: { max: 1 } as never, l2: new Map() })),
      codeOf(() => cache.wrap(() => 1, {} as never)),
      codeOf(() => cache.wrap(1 as never, { key: () => "a" })),
      codeOf(() => cache.wrap(() => 1, { key: () => "a", ttl: "x" })),
    ]).toEqual([
      "KV_UNKNOWN_CLIENT",
      "KV_INVALID_VALUE",
      "KV_INVALID_VALUE",
      "KV_INVALID_VALUE",
      "KV_INVALID_EXPIRES",
      "KV_INVALID_VALUE",
      "KV_INVALID_VALUE",
      "KV_INVALID_VALUE",
      "KV_INVALID_VALUE",
      "KV_INVALID_EXPIRES",
    ]);
  });

  it("rejects an oversized key before the loader is called", async () => {
    // Nothing listens there, and nothing is asked.
    const cache = createCache(new URL("https://kv.invalid/"));
    const load = counting(() => 1);
    await expect(cache.getOrSet("x".repeat(2048), load)).rejects.toMatchObject({
      code: "KV_TOO_LARGE",
    });
    await expect(cache.getOrSet("\ud800", load)).rejects.toMatchObject({ code: "KV_INVALID_KEY" });
    expect(load.calls).toBe(0);
  });
});

it("keeps the counter of a tag as long as a value whose loader took its time", async () => {
  vi.useFakeTimers();
  try {
    const cache = createCache(kv(new Map()), { ttl: 10, grace: 20, timeout: 1, jitter: 0 });
    // Its counter expires after 90 s.
    await cache.getOrSet("a", () => "a", { tags: ["t"] });
    await vi.advanceTimersByTimeAsync(56_000);
    const after8s = (value: string) => () =>
      new Promise<string>((resolve) => setTimeout(resolve, 8000, value));
    const slow = cache.getOrSet("b", after8s("b"), { tags: ["t"] });
    await vi.advanceTimersByTimeAsync(8000);
    expect(await slow).toBe("b");
    // Stale since 74 s, and within its grace until 94 s.
    await vi.advanceTimersByTimeAsync(27_000);
    const stale = cache.getOrSet("b", after8s("late"));
    await vi.advanceTimersByTimeAsync(1000);
    expect(await Promise.race([stale, "nothing"])).toBe("b");
    await vi.advanceTimersByTimeAsync(10_000);
    await cache.close();
  } finally {
    vi.useRealTimers();
  }
});

it.each([
  ["a loader of five minutes", 300_000, undefined, 15_000],
  ["a longer ttl that the loader sets", 1, "10m", 540_000],
] as const)("keeps the counter of a tag as long as a value of %s", async (_, ms, ttl, later) => {
  vi.useFakeTimers();
  try {
    const cache = createCache(kv(new Map()), { ttl: "20s", jitter: 0 });
    const load = async ({ setOptions }: LoadContext): Promise<string> => {
      await new Promise((resolve) => setTimeout(resolve, ms));
      if (ttl !== undefined) setOptions({ ttl });
      return "loaded";
    };
    const loaded = cache.getOrSet("a", load, { tags: ["t"] });
    await vi.advanceTimersByTimeAsync(ms);
    expect(await loaded).toBe("loaded");
    await vi.advanceTimersByTimeAsync(later);
    expect(await cache.get("a")).toBe("loaded");
    await cache.delTags(["t"]);
    expect(await cache.get("a")).toBe(null);
    await cache.close();
  } finally {
    vi.useRealTimers();
  }
});

it("keeps the counter of a tag as long as a null with a longer ttl", async () => {
  vi.useFakeTimers();
  try {
    const cache = createCache(kv(new Map()), { ttl: 1, nullTtl: "1h", jitter: 0 });
    await cache.set("a", null, { tags: ["t"] });
    await cache.getOrSet("b", () => null, { tags: ["t"] });
    await vi.advanceTimersByTimeAsync(3_000_000);
    expect([await cache.has("a"), await cache.has("b")]).toEqual([true, true]);
    await cache.close();
  } finally {
    vi.useRealTimers();
  }
});
