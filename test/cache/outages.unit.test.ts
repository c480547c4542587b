import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { type CacheOptions, createCache } from "../../src/cache/index.ts";
import { preload } from "./preload.ts";
import kv from "../../src/index.ts";

beforeAll(async () => void (await kv({ ...cuttable().client } as never).entry("a")));
beforeAll(preload);
beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A client that can be cut off: nothing answers then. */
function cuttable() {
  const data = new Map<string, unknown>();
  const state = { isCut: false, asked: 0 };
  const answer = <T>(value: () => T): T | Promise<T> => {
    state.asked++;
    return state.isCut ? new Promise<T>(() => undefined) : value();
  };
  const client = {
    get: (key: string) => answer(() => data.get(key)),
    set: (key: string, value: unknown) => answer(() => void data.set(key, value)),
    del: (key: string) => answer(() => void data.delete(key)),
    *iterate() {
      yield* data;
    },
  };
  return { client, state };
}

function cacheOver(options: CacheOptions, tiers = false) {
  const { client, state } = cuttable();
  const errors: unknown[] = [];
  const store = kv(client as never, { timeout: "1s" });
  const cache = createCache(tiers ? { l1: {}, l2: store } : store, {
    onError: (error, { during }) => errors.push([(error as { code: string }).code, during]),
    ...options,
  });
  return { cache, state, errors };
}

/** How long something takes by the clock of the test. */
async function timed<T>(work: () => Promise<T>): Promise<[T | string, number]> {
  const begun = Date.now();
  const settled: (T | string)[] = [];
  void work().then(
    (value) => settled.push(value),
    (error: { code: string }) => settled.push(error.code),
  );
  await vi.advanceTimersByTimeAsync(0);
  while (settled.length === 0) await vi.advanceTimersByTimeAsync(10);
  return [settled[0]!, Date.now() - begun];
}

describe("a store that cannot be reached", () => {
  it("is waited for once, and then left alone for a while", async () => {
    const { cache, state, errors } = cacheOver({ ttl: "1h", breaker: "10s" });
    const read = (key: string) => timed(() => cache.getOrSet(key, () => `loaded ${key}`));
    expect(await read("a")).toEqual(["loaded a", 0]);
    state.isCut = true;
    const [value, ms] = await read("a");
    expect(value).toBe("loaded a");
    expect(ms).toBeGreaterThanOrEqual(1000);
    const asked = state.asked;
    for (const key of ["a", "b", "c"]) expect(await read(key)).toEqual([`loaded ${key}`, 0]);
    expect(state.asked).toBe(asked);
    expect(errors).toEqual([["KV_CONNECTION", "store"]]);
    // One call tries again, and the others do not wait for it.
    await vi.advanceTimersByTimeAsync(10_000);
    const probe = read("a");
    expect(await timed(() => cache.getOrSet("b", () => "again"))).toEqual(["again", 0]);
    expect((await probe)[1]).toBeGreaterThanOrEqual(1000);
    state.isCut = false;
    await vi.advanceTimersByTimeAsync(10_000);
    expect(await timed(() => cache.getOrSet("a", () => "not loaded"))).toEqual(["loaded a", 0]);
    expect(await timed(() => cache.getOrSet("d", () => "d"))).toEqual(["d", 0]);
    expect(await timed(() => cache.get("d"))).toEqual(["d", 0]);
  });

  it("is waited for once when it is lost during a load, whoever loads", async () => {
    const { cache, state, errors } = cacheOver({ ttl: "1h", breaker: "10s" });
    const load = async (): Promise<string> => {
      await new Promise((resolve) => setTimeout(resolve, 100));
      state.isCut = true;
      return "loaded";
    };
    // The second load ends after the first one has waited.
    const later = async (): Promise<string> => {
      await new Promise((resolve) => setTimeout(resolve, 5000));
      return "later";
    };
    const second = timed(() => cache.getOrSet("b", later));
    const [value, ms] = await timed(() => cache.getOrSet("a", load));
    expect([value, Math.round(ms / 1000)]).toEqual(["loaded", 1]);
    const [last, lastMs] = await second;
    expect(last).toBe("later");
    expect(lastMs).toBeLessThan(6000);
    expect(errors).toEqual([["KV_CONNECTION", "store"]]);
  });

  it('rejects reads with onStoreError: "throw", at once after the first', async () => {
    const { cache, state, errors } = cacheOver({ onStoreError: "throw", breaker: "10s" });
    state.isCut = true;
    const load = vi.fn(() => 1);
    expect((await timed(() => cache.getOrSet("a", load)))[0]).toBe("KV_CONNECTION");
    expect(await timed(() => cache.getOrSet("a", load))).toEqual(["KV_CONNECTION", 0]);
    expect(await timed(() => cache.get("a"))).toEqual(["KV_CONNECTION", 0]);
    expect([load.mock.calls.length, errors]).toEqual([0, []]);
  });

  it("loads once for all callers in this process", async () => {
    const { cache, state } = cacheOver({});
    state.isCut = true;
    const load = vi.fn(async () => 1);
    const calls = Array.from({ length: 50 }, () => cache.getOrSet("a", load));
    await vi.advanceTimersByTimeAsync(3_000);
    expect(await Promise.all(calls)).toEqual(calls.map(() => 1));
    expect(load.mock.calls.length).toBe(1);
  });

  it("is replaced by the first tier, for its ttl", async () => {
    const { cache, state } = cacheOver({ breaker: "1m", ttl: "1h" }, true);
    await cache.getOrSet("a", () => "cached");
    state.isCut = true;
    expect(await timed(() => cache.getOrSet("a", () => "loaded"))).toEqual(["cached", 0]);
    await vi.advanceTimersByTimeAsync(5_000);
    expect((await timed(() => cache.getOrSet("a", () => "loaded")))[0]).toBe("loaded");
    expect(await timed(() => cache.getOrSet("a", () => "again"))).toEqual(["loaded", 0]);
  });

  it("does not hold a caller for longer than its hardTimeout, or after it aborts", async () => {
    const { cache, state } = cacheOver({});
    state.isCut = true;
    const load = (): number => 1;
    const late = await timed(() => cache.getOrSet("a", load, { hardTimeout: "100ms" }));
    expect(late).toEqual(["KV_TIMEOUT", 100]);
    const ending = new AbortController();
    const { signal } = ending;
    const aborted = cache.getOrSet("b", () => new Promise(() => undefined), { signal });
    ending.abort("aborted");
    const rejected = expect(aborted).rejects.toBe("aborted");
    await vi.advanceTimersByTimeAsync(3_000);
    await rejected;
  });

  it("serves a stale value after a hardTimeout that is shorter than the timeout", async () => {
    const { cache } = cacheOver({ ttl: "1h", grace: "1h", timeout: "5s" });
    await cache.set("a", "old");
    await cache.expire("a");
    const load = (): Promise<string> => new Promise((resolve) => setTimeout(resolve, 3000, "new"));
    const [value, ms] = await timed(() => cache.getOrSet("a", load, { hardTimeout: "1s" }));
    expect(value).toBe("old");
    expect(ms).toBeLessThan(1500);
    await vi.advanceTimersByTimeAsync(3000);
    expect(await cache.get("a")).toBe("new");
  });

  it("does not hold a caller that aborts while the store is read", async () => {
    const { cache, state } = cacheOver({});
    state.isCut = true;
    const ending = new AbortController();
    const load = vi.fn(() => 1);
    const aborted = timed(() =>
      cache.getOrSet("a", load, { signal: ending.signal }).catch((error: unknown) => error),
    );
    const other = cache.getOrSet("a", () => 2);
    ending.abort("aborted");
    const [reason, ms] = await aborted;
    expect(reason).toBe("aborted");
    expect(ms).toBeLessThan(500);
    await vi.advanceTimersByTimeAsync(3_000);
    // The others that share the read still get their value.
    expect([await other, load.mock.calls.length]).toEqual([1, 1]);
  });

  it("rejects writes, which would be lost silently otherwise", async () => {
    const { cache, state } = cacheOver({});
    await cache.set("a", 1);
    state.isCut = true;
    for (const write of [() => cache.set("a", 2), () => cache.del("a"), () => cache.expire("a")])
      expect((await timed<unknown>(write))[0]).toBe("KV_CONNECTION");
  });

  it("does not make the cache reject with the error of a store that its owner closed", async () => {
    const store = kv(new Map());
    const cache = createCache(store);
    await cache.set("a", 1);
    await store.close();
    await expect(cache.getOrSet("a", () => 2)).rejects.toMatchObject({ code: "KV_CLOSED" });
  });
});

describe("a value that no cache has stored", () => {
  it("is reported and replaced", async () => {
    const store = kv(new Map());
    const errors: unknown[] = [];
    const cache = createCache(store, {
      onError: (error) => errors.push((error as { code: string }).code),
    });
    await store.set("v:a", "by another program");
    expect(await cache.getOrSet("a", () => "loaded")).toBe("loaded");
    await Promise.resolve();
    expect(errors).toEqual(["KV_FOREIGN"]);
    expect(await store.get("v:a")).toBe("by another program");
    await cache.set("a", "set");
    expect(await cache.get("a")).toBe("set");
  });
});
