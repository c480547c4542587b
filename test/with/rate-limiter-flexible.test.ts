import express from "express";
import { RateLimiterRes } from "rate-limiter-flexible";
// @ts-expect-error the package has no types for this file.
import RateLimiterStoreAbstract from "rate-limiter-flexible/lib/RateLimiterStoreAbstract.js";
import type * as flexible from "rate-limiter-flexible";
import { describe, expect, it } from "vitest";
import kv, { type Store } from "../../src/index.ts";
import {
  flexibleRateLimiter,
  type FlexibleOptions,
} from "../../src/with/rate-limiter-flexible/index.ts";
import { INTEGRATION_STORES } from "../support/integration-stores.ts";
import { failingClient, plainClient } from "../support/plain-client.ts";
import { serve, Visitor } from "../support/web-app.ts";

const classes = {
  RateLimiterRes,
  RateLimiterStoreAbstract: RateLimiterStoreAbstract as unknown as new (
    options: never,
  ) => flexible.RateLimiterStoreAbstract,
};
const limiterOver = (store: Store, options: FlexibleOptions): flexible.RateLimiterStoreAbstract =>
  flexibleRateLimiter(classes, store, options);

describe.each(INTEGRATION_STORES)("rate-limiter-flexible on %s", (_, open) => {
  it("lets exactly `points` of many requests at once pass", async () => {
    const limiter = limiterOver((await open()).prefix("app:"), { points: 5, duration: 60 });
    const web = express();
    web.get("/", async (_req, res) => {
      try {
        const { remainingPoints } = await limiter.consume("ann");
        res.send(`${remainingPoints}`);
      } catch (error) {
        res.status((error as flexible.RateLimiterRes).msBeforeNext > 50_000 ? 429 : 500).end();
      }
    });
    const visitor = new Visitor(await serve(web as never));
    const answers = await Promise.all(Array.from({ length: 15 }, () => visitor.get("/")));
    expect(answers.filter(({ status }) => status === 200).length).toBe(5);
    expect(answers.filter(({ status }) => status === 429).length).toBe(10);
  });

  it("consumes, gives penalties and rewards, reads, sets, blocks and deletes", async () => {
    const limiter = limiterOver((await open()).prefix("all:"), { points: 5, duration: 60 });
    expect(await limiter.get("a")).toBe(null);
    expect(await limiter.consume("a", 2)).toMatchObject({
      consumedPoints: 2,
      remainingPoints: 3,
      isFirstInDuration: true,
    });
    expect(await limiter.penalty("a", 2)).toMatchObject({ consumedPoints: 4 });
    expect(await limiter.reward("a", 3)).toMatchObject({ consumedPoints: 1 });
    expect(await limiter.get("a")).toMatchObject({ consumedPoints: 1, remainingPoints: 4 });
    await limiter.set("a", 4, 30);
    expect((await limiter.get("a"))!.msBeforeNext).toBeLessThanOrEqual(30_000);
    await limiter.block("a", 600);
    await expect(limiter.consume("a")).rejects.toMatchObject({ remainingPoints: 0 });
    expect((await limiter.get("a"))!.msBeforeNext).toBeGreaterThan(590_000);
    expect(await limiter.delete("a")).toBe(true);
    expect(await limiter.delete("a")).toBe(false);
    expect(await limiter.consume("a")).toMatchObject({ consumedPoints: 1 });
  });

  it("blocks from the request that passes the limit", async () => {
    const options = { points: 1, duration: 60, blockDuration: 600 };
    const limiter = limiterOver((await open()).prefix("block:"), options);
    await limiter.consume("a");
    await expect(limiter.consume("a")).rejects.toMatchObject({ msBeforeNext: 600_000 });
    expect((await limiter.get("a"))!.msBeforeNext).toBeGreaterThan(590_000);
  });

  it("blocks and sets for ever, whatever is consumed later", async () => {
    const store = (await open()).prefix("ever:");
    const limiter = limiterOver(store, { points: 1, duration: 60 });
    await limiter.block("a", 0);
    await limiter.set("b", 5, 0);
    for (const key of ["a", "b"]) {
      await expect(limiter.consume(key)).rejects.toMatchObject({ msBeforeNext: -1 });
      expect(await limiter.penalty(key)).toMatchObject({ msBeforeNext: -1 });
      expect(await limiter.get(key)).toMatchObject({ remainingPoints: 0, msBeforeNext: -1 });
    }
    expect(await limiter.delete("a")).toBe(true);
    expect((await limiter.consume("a")).msBeforeNext).toBeGreaterThan(0);
  });

  it("rewards never bring a count below 0", async () => {
    for (const duration of [0, 60]) {
      const store = (await open()).prefix(`reward ${duration}:`);
      const limiter = limiterOver(store, { points: 5, duration });
      await limiter.consume("a", 2);
      expect(await limiter.reward("a", 3)).toMatchObject({ consumedPoints: 0, remainingPoints: 5 });
    }
  });

  it("counts forever with a duration of 0, and starts again after another", async () => {
    const store = await open();
    const forever = limiterOver(store.prefix("forever:"), { points: 5, duration: 0 });
    await forever.consume("a");
    expect(await forever.consume("a")).toMatchObject({ consumedPoints: 2, msBeforeNext: -1 });
    expect(await forever.get("a")).toMatchObject({ consumedPoints: 2 });
    const short = limiterOver(store.prefix("short:"), { points: 1, duration: 0.1 });
    await short.consume("a");
    await expect
      .poll(() =>
        short.consume("a").then(
          () => true,
          () => false,
        ),
      )
      .toBe(true);
  });
});

describe("rate-limiter-flexible", () => {
  it("rejects with the error of the store", async () => {
    const limiter = limiterOver(kv(failingClient() as never) as never, { points: 1, duration: 1 });
    await expect(limiter.consume("a")).rejects.toMatchObject({ code: "KV_CONNECTION" });
    await expect(limiter.get("a")).rejects.toMatchObject({ code: "KV_CONNECTION" });
  });

  it("is rejected over a store that would not limit", () => {
    expect(() => limiterOver(kv(plainClient()), {})).toThrow(
      expect.objectContaining({ code: "KV_NOT_SUPPORTED" }) as Error,
    );
  });
});
