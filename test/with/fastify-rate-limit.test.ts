import rateLimit, { type RateLimitPluginOptions } from "@fastify/rate-limit";
import fastify from "fastify";
import { describe, expect, it } from "vitest";
import kv, { type Store } from "../../src/index.ts";
import { fastifyRateLimitStore } from "../../src/with/fastify-rate-limit/index.ts";
import { INTEGRATION_STORES } from "../support/integration-stores.ts";
import { failingClient, plainClient } from "../support/plain-client.ts";
import { serve, Visitor } from "../support/web-app.ts";

/** An app with a limit; `/own` has one of its own. */
async function app(store: Store, options: RateLimitPluginOptions): Promise<Visitor> {
  const web = fastify();
  await web.register(rateLimit, { store: fastifyRateLimitStore(store), ...options });
  web.get("/", () => "passed");
  const own = { rateLimit: { max: 1, timeWindow: 60_000 } };
  web.get("/own", { config: own }, () => "passed");
  await web.ready();
  return new Visitor(await serve((req, res) => web.routing(req, res)));
}

describe.each(INTEGRATION_STORES)("@fastify/rate-limit on %s", (_, open) => {
  it("lets exactly `max` of many requests at once pass, apart for each route", async () => {
    const visitor = await app((await open()).prefix("max:"), { max: 8, timeWindow: 60_000 });
    const answers = await Promise.all(Array.from({ length: 20 }, () => visitor.get("/")));
    expect(answers.filter(({ status }) => status === 200).length).toBe(8);
    expect(answers.filter(({ status }) => status === 429).length).toBe(12);
    for (const { headers } of answers)
      expect(Number(headers.get("x-ratelimit-reset"))).toBeGreaterThan(50);
    expect((await visitor.get("/own")).status).toBe(200);
    expect((await visitor.get("/own")).status).toBe(429);
  });

  it("starts again after the window", async () => {
    const visitor = await app((await open()).prefix("again:"), { max: 1, timeWindow: 200 });
    expect((await visitor.get("/")).status).toBe(200);
    await expect.poll(async () => (await visitor.get("/")).status).toBe(200);
  });

  it("extends the window with continueExceeding and exponentialBackoff", async () => {
    for (const [option, factor] of [
      ["continueExceeding", 1],
      ["exponentialBackoff", 4],
    ] as const) {
      const store = (await open()).prefix(`${option}:`);
      const visitor = await app(store, { max: 1, timeWindow: 60_000, [option]: true });
      const first = await visitor.get("/");
      expect(first.status).toBe(200);
      const [key] = await store.keys();
      const before = (await store.entry(key!))!.expires!;
      for (let i = 0; i < 3; i++) expect((await visitor.get("/")).status).toBe(429);
      const { value, expires } = (await store.entry(key!))!;
      expect(value).toBe(4);
      expect(expires! - before).toBeGreaterThanOrEqual((factor - 1) * 60_000);
      expect(expires! - Date.now()).toBeLessThanOrEqual(factor * 60_000);
    }
  });

  it("reads a count without counting", async () => {
    const store = (await open()).prefix("read:");
    const counts = new (fastifyRateLimitStore(store))({});
    const call = (name: "incr" | "read"): Promise<{ current: number; ttl: number }> =>
      new Promise((resolve, reject) => {
        counts[name](
          "ann",
          (error, result) => (error ? reject(error) : resolve(result!)),
          60_000,
          5,
        );
      });
    expect(await call("read")).toEqual({ current: 0, ttl: 0 });
    await call("incr");
    expect((await call("read")).current).toBe(1);
    expect((await call("read")).ttl).toBeGreaterThan(50_000);
  });
});

describe("@fastify/rate-limit", () => {
  it("decides itself about a failing store", async () => {
    const down = kv(failingClient() as never) as unknown as Store;
    const options = { max: 1, timeWindow: 60_000 };
    expect((await (await app(down, options)).get("/")).status).toBe(500);
    expect((await (await app(down, { ...options, skipOnError: true })).get("/")).status).toBe(200);
  });

  it("is rejected over a store that would not limit", () => {
    expect(() => fastifyRateLimitStore(kv(plainClient()))).toThrow(
      expect.objectContaining({ code: "KV_NOT_SUPPORTED" }) as Error,
    );
    expect(() => fastifyRateLimitStore(new Map() as never)).toThrow(
      expect.objectContaining({ code: "KV_INVALID_CLIENT" }) as Error,
    );
  });
});
