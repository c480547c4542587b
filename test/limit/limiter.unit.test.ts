import { describe, expect, it } from "vitest";
import kv from "../../src/index.ts";
import { createLimiter } from "../../src/limit/index.ts";
import { plainClient } from "../support/plain-client.ts";

describe("createLimiter()", () => {
  it("counts, peeks, extends and resets", async () => {
    const store = kv();
    const limiter = createLimiter(store.prefix("limit:"));
    expect(await limiter.peek("a")).toBe(null);
    const { resetAt } = await limiter.hit("a", "1m", 2, { max: 2 });
    expect(await limiter.peek("a")).toEqual({ count: 2, resetAt });
    expect(await limiter.extend("a", new Date(resetAt + 5000))).toBe(true);
    expect(await limiter.hit("a", "1m", 1, { max: 2 })).toEqual({
      count: 3,
      resetAt: resetAt + 5000,
      allowed: false,
    });
    await limiter.reset("a");
    expect(await limiter.peek("a")).toBe(null);
    expect(await limiter.extend("a", new Date(resetAt))).toBe(false);
    await store.set("other", 1);
    await limiter.hit("b", "1m");
    await limiter.clear();
    expect(await store.keys()).toEqual(["other"]);
  });

  it("rejects stores without compare-and-set, and anything but a store", () => {
    expect(() => createLimiter(kv(plainClient()))).toThrow(
      expect.objectContaining({ code: "KV_NOT_SUPPORTED" }) as Error,
    );
    expect(() => createLimiter(new Map() as never)).toThrow(
      expect.objectContaining({ code: "KV_INVALID_CLIENT" }) as Error,
    );
  });
});
