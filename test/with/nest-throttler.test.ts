import "reflect-metadata";
import { Controller, Get, Module } from "@nestjs/common";
import { APP_GUARD, NestFactory } from "@nestjs/core";
import { ThrottlerGuard, ThrottlerModule } from "@nestjs/throttler";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import kv, { type Store } from "../../src/index.ts";
import { nestThrottlerStorage } from "../../src/with/nest-throttler/index.ts";
import { INTEGRATION_STORES } from "../support/integration-stores.ts";
import { failingClient, plainClient } from "../support/plain-client.ts";
import { Visitor } from "../support/web-app.ts";

const apps: { close(): Promise<void> }[] = [];
afterAll(async () => void (await Promise.all(apps.map((app) => app.close()))));
afterEach(() => void vi.useRealTimers());

/** An app of Nest with a limit. Decorators are called as functions. */
async function app(
  store: Store,
  options: { ttl: number; limit: number; blockDuration?: number },
): Promise<Visitor> {
  class Home {
    home(): string {
      return "passed";
    }
  }
  const method = Object.getOwnPropertyDescriptor(Home.prototype, "home")!;
  Get()(Home.prototype, "home", method);
  Controller()(Home);
  class App {}
  Module({
    imports: [
      ThrottlerModule.forRoot({ throttlers: [options], storage: nestThrottlerStorage(store) }),
    ],
    controllers: [Home],
    providers: [{ provide: APP_GUARD, useClass: ThrottlerGuard }],
  })(App);
  const nest = await NestFactory.create(App, { logger: false });
  apps.push(nest);
  await nest.listen(0, "127.0.0.1");
  return new Visitor(await nest.getUrl());
}

describe.each(INTEGRATION_STORES)("@nestjs/throttler on %s", (_, open) => {
  it("lets exactly `limit` of many requests at once pass", async () => {
    const visitor = await app((await open()).prefix("limit:"), { ttl: 60_000, limit: 5 });
    const answers = await Promise.all(Array.from({ length: 15 }, () => visitor.get("/")));
    expect(answers.filter(({ status }) => status === 200).length).toBe(5);
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused.length).toBe(10);
    for (const { headers } of refused)
      expect(Number(headers.get("retry-after"))).toBeGreaterThan(50);
  });

  it("blocks for blockDuration, and starts again after it", async () => {
    const store = (await open()).prefix("block:");
    const visitor = await app(store, { ttl: 60_000, limit: 1, blockDuration: 300 });
    expect((await visitor.get("/")).status).toBe(200);
    expect((await visitor.get("/")).status).toBe(429);
    await expect.poll(async () => (await visitor.get("/")).status).toBe(200);
  });

  it("takes milliseconds and answers in seconds", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const storage = nestThrottlerStorage((await open()).prefix("units:"));
    expect(await storage.increment("a", 60_000, 1, 120_000, "default")).toEqual({
      totalHits: 1,
      timeToExpire: 60,
      isBlocked: false,
      timeToBlockExpire: 0,
    });
    expect(await storage.increment("a", 60_000, 1, 120_000, "default")).toEqual({
      totalHits: 2,
      timeToExpire: 120,
      isBlocked: true,
      timeToBlockExpire: 120,
    });
    expect(await storage.increment("a", 60_000, 1, 120_000, "other")).toMatchObject({
      totalHits: 1,
    });
  });
});

describe("@nestjs/throttler", () => {
  it("answers with an error while the store is down", async () => {
    const down = kv(failingClient() as never) as unknown as Store;
    expect((await (await app(down, { ttl: 60_000, limit: 1 })).get("/")).status).toBe(500);
  });

  it("is rejected over a store that would not limit", () => {
    expect(() => nestThrottlerStorage(kv(plainClient()))).toThrow(
      expect.objectContaining({ code: "KV_NOT_SUPPORTED" }) as Error,
    );
  });
});
