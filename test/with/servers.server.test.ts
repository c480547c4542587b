import { BaseStore } from "@langchain/langgraph-checkpoint";
import express from "express";
import { rateLimit } from "express-rate-limit";
import session from "express-session";
import pg from "pg";
import { createClient } from "redis";
import { afterAll, describe, expect, it } from "vitest";
import kv, { type Store } from "../../src/index.ts";
import { authJsAdapter } from "../../src/with/auth-js/index.ts";
import { betterAuthStorage } from "../../src/with/better-auth/index.ts";
import { expressRateLimitStore } from "../../src/with/express-rate-limit/index.ts";
import { expressSessionStore } from "../../src/with/express-session/index.ts";
import { fastifyRateLimitStore } from "../../src/with/fastify-rate-limit/index.ts";
import { keyvStore } from "../../src/with/keyv/index.ts";
import { langgraphStore } from "../../src/with/langgraph/index.ts";
import { nestThrottlerStorage } from "../../src/with/nest-throttler/index.ts";
import { nextCacheHandlers } from "../../src/with/next/index.ts";
import { oidcAdapter } from "../../src/with/oidc-provider/index.ts";
import { openauthStorage } from "../../src/with/openauth/index.ts";
import { reactRouterSessions } from "../../src/with/react-router/index.ts";
import { CLIENTS } from "../support/integration-clients.ts";
import { PATIENT } from "../support/patient.ts";
import { postgresServer } from "../support/postgres-server.ts";
import { redisServer } from "../support/redis-server.ts";
import { serve, Visitor } from "../support/web-app.ts";
import { sessionCases } from "../suites/sessions.ts";

const redis = await redisServer();
const [postgres] = await Promise.all([postgresServer(), redis.start()]);
const shared = {
  redis: kv(createClient({ url: redis.url }), PATIENT),
  postgres: kv(new pg.Pool({ connectionString: postgres.url, max: 3 }), PATIENT),
};
const opened: Store[] = Object.values(shared);
afterAll(async () => {
  await Promise.all(opened.map((store) => store.close()));
  await Promise.all([redis, postgres].map((server) => server.remove()));
});

for (const [name, open] of CLIENTS) sessionCases(name, open);
sessionCases("REDIS", () => shared.redis);
sessionCases("POSTGRES", () => shared.postgres);

/** An app with a limit and sessions over a connection of its own. */
async function app(limit: number): Promise<[Visitor, Store]> {
  const store = kv(createClient({ url: redis.url }), { timeout: "1s", prefix: `app ${limit}:` });
  opened.push(store);
  const web = express();
  web.set("env", "test");
  const limits = expressRateLimitStore(store, { prefix: "limit:" });
  web.use(rateLimit({ windowMs: 60_000, limit, store: limits }));
  web.use(
    session({
      store: expressSessionStore(session, store.prefix("session:"), { onConflict: "merge" }),
      secret: "a secret",
      resave: false,
      saveUninitialized: false,
    }),
  );
  web.get("/login", (req, res) => {
    Object.assign(req.session, { user: "ann" });
    res.send("in");
  });
  web.get("/", (req, res) => void res.send(`${(req.session as { user?: string }).user}`));
  return [new Visitor(await serve(web as never)), store];
}

describe("an Express app over Redis", () => {
  it("lets exactly `limit` requests of two instances pass", async () => {
    const [[one], [two, store]] = [await app(20), await app(20)];
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, i) => (i % 2 === 0 ? one : two).get("/")),
    );
    expect(answers.filter(({ status }) => status === 200).length).toBe(20);
    expect(answers.filter(({ status }) => status === 429).length).toBe(40);
    const keys = await store.prefix("limit:").keys();
    expect(keys.length).toBe(1);
    expect((await store.prefix("limit:").entry(keys[0]!))!.expires).not.toBe(null);
  });

  it("fails requests while the server is killed, and goes on after it", async () => {
    const [ann] = await app(1000);
    await ann.get("/login");
    expect((await ann.get("/")).text).toBe("ann");
    await redis.kill();
    expect((await ann.get("/")).status).toBe(500);
    await redis.start();
    await expect.poll(async () => (await ann.get("/login")).status).toBe(200);
    await expect.poll(async () => (await ann.get("/")).text).toBe("ann");
  });
});

/** What a framework calls: each resolves while the server is up. */
const CALLS: { readonly [name: string]: (store: Store) => () => Promise<unknown> } = {
  "auth-js": (store) => () => authJsAdapter(store).getSessionAndUser("a"),
  "better-auth": (store) => () => betterAuthStorage(store).increment("a", 60),
  "fastify-rate-limit": (store) => {
    const counts = new (fastifyRateLimitStore(store))({});
    return () =>
      new Promise((resolve, reject) => {
        counts.incr("a", (error, result) => (error ? reject(error) : resolve(result)), 60_000, 5);
      });
  },
  keyv: (store) => () => keyvStore(store).set("a", 1, Date.now() + 60_000),
  langgraph: (store) => () => langgraphStore(BaseStore, store).put(["n"], "k", { n: 1 }),
  "nest-throttler": (store) => () =>
    nestThrottlerStorage(store).increment("a", 60_000, 5, 60_000, "default"),
  next: (store) => () => nextCacheHandlers(store).updateTags(["a"]),
  "oidc-provider": (store) => () => oidcAdapter(store)("Grant").upsert("a", { n: 1 }, 60),
  openauth: (store) => () => openauthStorage(store).set(["a"], { n: 1 }),
  "react-router": (store) => () => reactRouterSessions(store).createData({ n: 1 }),
};

describe("integrations over Redis", () => {
  it("reject while the server is killed, and handle every rejection", async () => {
    const unhandled: unknown[] = [];
    const note = (error: unknown): void => void unhandled.push(error);
    process.on("unhandledRejection", note);
    const store = kv(createClient({ url: redis.url }), { timeout: "500ms", prefix: "killed:" });
    opened.push(store);
    const calls = Object.entries(CALLS).map(
      ([name, make]) => [name, make(store.prefix(`${name}:`))] as const,
    );
    await Promise.all(calls.map(([, call]) => call()));
    await redis.kill();
    const outcomes = await Promise.all(
      calls.map(async ([name, call]) => [
        name,
        await call().then(
          () => "resolved",
          (error: { code: string }) => error.code,
        ),
      ]),
    );
    expect(outcomes).toEqual(calls.map(([name]) => [name, "KV_CONNECTION"]));
    await redis.start();
    for (const [, call] of calls)
      await expect
        .poll(() =>
          call().then(
            () => true,
            () => false,
          ),
        )
        .toBe(true);
    process.off("unhandledRejection", note);
    expect(unhandled).toEqual([]);
  });
});
