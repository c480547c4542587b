import { describe, expect, it, vi } from "vitest";
import { hit } from "../../src/atomic/index.ts";
import kv from "../../src/index.ts";
import { hitCases } from "../suites/hits.ts";

hitCases("MEMORY", { open: () => kv(new Map()) });

describe("hit()", () => {
  it("ends its window at the millisecond that it says", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: 1_000_000 });
    try {
      const store = kv();
      expect(await hit(store, "a", "1m", 1, { max: 1 })).toEqual({
        count: 1,
        resetAt: 1_060_000,
        allowed: true,
      });
      vi.setSystemTime(1_059_999);
      expect(await hit(store, "a", 60, 1, { max: 1 })).toEqual({
        count: 2,
        resetAt: 1_060_000,
        allowed: false,
      });
      vi.setSystemTime(1_060_000);
      expect(await hit(store, "a", 60, 1, { max: 1 })).toMatchObject({
        count: 1,
        resetAt: 1_120_000,
      });
    } finally {
      vi.useRealTimers();
    }
  });

  it("rejects arguments that cannot be used, and writes nothing", async () => {
    const store = kv();
    for (const window of [0, -1, NaN, Infinity, null, undefined, new Date(), "1 fortnight", {}])
      await expect(hit(store, "a", window as never)).rejects.toMatchObject({
        code: "KV_INVALID_EXPIRES",
      });
    for (const by of [NaN, Infinity, "1", null, 1n])
      await expect(hit(store, "a", "1m", by as never)).rejects.toMatchObject({
        code: "KV_INVALID_VALUE",
      });
    for (const options of [{ limit: 5 }, { max: -1 }, { max: "5" }, { max: NaN }, { block: "1m" }])
      await expect(hit(store, "a", "1m", 1, options as never)).rejects.toMatchObject({
        code: "KV_INVALID_VALUE",
      });
    for (const options of ["5", { max: 5, block: 0 }, { max: 5, block: "soon" }])
      await expect(hit(store, "a", "1m", 1, options as never)).rejects.toMatchObject({
        code: "KV_INVALID_EXPIRES",
      });
    await expect(hit(store, "", "1m")).rejects.toMatchObject({ code: "KV_INVALID_KEY" });
    expect(await store.keys()).toEqual([]);
  });

  it("is rejected where two writers could not be told apart", async () => {
    const data = new Map<string, unknown>();
    const store = kv({
      EXPIRES: true,
      get: (key: string) => data.get(key),
      set: (key: string, value: unknown) => void data.set(key, value),
      del: (key: string) => void data.delete(key),
    });
    await expect(hit(store, "a", "1m")).rejects.toMatchObject({ code: "KV_NOT_SUPPORTED" });
  });
});
