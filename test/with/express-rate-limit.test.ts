import express from "express";
import { rateLimit } from "express-rate-limit";
import { describe, expect, it } from "vitest";
import kv, { type Store } from "../../src/index.ts";
import { expressRateLimitStore } from "../../src/with/express-rate-limit/index.ts";
import { failingClient, plainClient } from "../support/plain-client.ts";
import { INTEGRATION_STORES } from "../support/integration-stores.ts";
import { serve, Visitor } from "../support/web-app.ts";

type Limit = Parameters<typeof rateLimit>[0];

/** An app with a limit. `/fails` answers with 500. */
async function app(store: Store, prefix: string, options: Limit): Promise<Visitor> {
  const web = express();
  web.use(
    rateLimit({
      legacyHeaders: true,
      store: expressRateLimitStore(store, { prefix }),
      ...options,
    }),
  );
  web.get("/", (_req, res) => void res.send("passed"));
  web.get("/fails", (_req, res) => void res.status(500).send("failed"));
  return new Visitor(await serve(web as never));
}

describe.each(INTEGRATION_STORES)("express-rate-limit on %s", (_, open) => {
  it("lets exactly `limit` of many requests at once pass, and tells when it ends", async () => {
    const store = await open();
    const visitor = await app(store, "limit:", { windowMs: 60_000, limit: 10 });
    const answers = await Promise.all(Array.from({ length: 30 }, () => visitor.get("/")));
    expect(answers.filter(({ status }) => status === 200).length).toBe(10);
    expect(answers.filter(({ status }) => status === 429).length).toBe(20);
    const [key] = await store.prefix("limit:").keys();
    const { value, expires } = (await store.prefix("limit:").entry(key!))!;
    expect(value).toBe(30);
    const resets = new Set(answers.map(({ headers }) => headers.get("x-ratelimit-reset")));
    expect([...resets]).toEqual([`${Math.ceil(expires! / 1000)}`]);
  });

  it("starts again after the window", async () => {
    const visitor = await app(await open(), "window:", { windowMs: 200, limit: 1 });
    expect((await visitor.get("/")).status).toBe(200);
    await expect.poll(async () => (await visitor.get("/")).status).toBe(200);
  });

  it("gives failed requests back, looks keys up and resets them", async () => {
    const store = await open();
    const limiter = expressRateLimitStore(store, { prefix: "back:" });
    const visitor = await app(store, "back:", {
      windowMs: 60_000,
      limit: 2,
      skipFailedRequests: true,
      keyGenerator: () => "ann",
    });
    for (let i = 0; i < 5; i++) expect((await visitor.get("/fails")).status).toBe(500);
    await expect.poll(async () => (await limiter.get("ann"))?.totalHits).toBe(0);
    expect((await visitor.get("/")).status).toBe(200);
    expect(await limiter.get("ann")).toEqual({
      totalHits: 1,
      resetTime: new Date((await store.entry("back:ann"))!.expires!),
    });
    await limiter.resetKey("ann");
    expect(await limiter.get("ann")).toBe(undefined);
    await limiter.decrement("ann");
    expect(await limiter.get("ann")).toBe(undefined);
    await visitor.get("/");
    await store.set("other", 1);
    await limiter.resetAll();
    expect(await store.has("back:ann")).toBe(false);
    expect(await store.get("other")).toBe(1);
  });
});

describe("express-rate-limit", () => {
  it("decides itself about a failing store", async () => {
    const down = kv(failingClient() as never) as unknown as Store;
    const options = { windowMs: 60_000, limit: 1 };
    const strict = await app(down, "", options);
    expect((await strict.get("/")).status).toBe(500);
    const open = await app(down, "", { ...options, passOnStoreError: true });
    expect((await open.get("/")).status).toBe(200);
  });

  it("rejects stores and options that would not limit", () => {
    expect(() => expressRateLimitStore(kv(plainClient()))).toThrow(
      expect.objectContaining({ code: "KV_NOT_SUPPORTED" }) as Error,
    );
    expect(() => expressRateLimitStore(kv(), { windowMs: 5 } as never)).toThrow(
      expect.objectContaining({ code: "KV_INVALID_VALUE" }) as Error,
    );
    expect(() => expressRateLimitStore(new Map() as never)).toThrow(
      expect.objectContaining({ code: "KV_INVALID_CLIENT" }) as Error,
    );
  });
});
