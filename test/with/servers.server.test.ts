import { readdirSync } from "node:fs";
import express from "express";
import { rateLimit } from "express-rate-limit";
import session from "express-session";
import pg from "pg";
import { createClient } from "redis";
import { afterAll, describe, expect, it } from "vitest";
import kv, { type Store } from "../../src/index.ts";
import { expressRateLimitStore } from "../../src/with/express-rate-limit/index.ts";
import { expressSessionStore } from "../../src/with/express-session/index.ts";
import { WRITES } from "../support/integration-writes.ts";
import { INTEGRATION_STORES } from "../support/integration-stores.ts";
import { PATIENT } from "../support/patient.ts";
import { postgresServer } from "../support/postgres-server.ts";
import { ask, redisServer } from "../support/redis-server.ts";
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

for (const [name, open] of INTEGRATION_STORES) sessionCases(name, open);
sessionCases("REDIS", () => shared.redis);
sessionCases("POSTGRES", () => shared.postgres);

/** An app with a limit and sessions over a connection of its own. */
async function app(limit: number): Promise<[Visitor, Store]> {
  const store = kv(createClient({ url: redis.url }), { timeout: "1s", prefix: `app ${limit}:` });
  opened.push(store);
  const web = express();
  web.set("env", "test");
  const limits = expressRateLimitStore(store, { prefix: "limit:" });
  web.get("/", rateLimit({ windowMs: 60_000, limit, store: limits }));
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
  web.get("/logout", (req, res) => req.session.destroy((error) => res.send(error ?? "out")));
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

const FOLDERS = readdirSync(new URL("../../src/with/", import.meta.url));

/** How a call ended: "resolved", or the code of its error. */
const outcomeOf = (call: () => Promise<unknown>): Promise<string> =>
  call().then(
    () => "resolved",
    (error: { code?: string }) => error.code ?? `${error as Error}`,
  );

/** Limits the memory of the server; "0" is no limit. */
const setMemory = (bytes: string) => () =>
  ask(redis.port, (client) => client.config("SET", "maxmemory", bytes));

/** Writes through every integration while `stop` has stopped the server, and after `resume`. */
async function outage(stop: () => Promise<unknown>, resume: () => Promise<unknown>, code: string) {
  const unhandled: unknown[] = [];
  const note = (error: unknown): void => void unhandled.push(error);
  process.on("unhandledRejection", note);
  const store = kv(createClient({ url: redis.url }), { timeout: "500ms", prefix: `${code}:` });
  opened.push(store);
  const calls = Object.entries(WRITES).map(
    ([name, make]) => [name, make(store.prefix(`${name}:`))] as const,
  );
  await Promise.all(calls.map(([, call]) => call()));
  await stop();
  const outcomes = await Promise.all(
    calls.map(async ([name, call]) => [name, await outcomeOf(call)]),
  );
  await resume();
  expect(outcomes).toEqual(calls.map(([name]) => [name, code]));
  for (const [, call] of calls) await expect.poll(() => outcomeOf(call)).toBe("resolved");
  process.off("unhandledRejection", note);
  expect(unhandled).toEqual([]);
}

describe("integrations over Redis", () => {
  it("are all in this test", () => {
    expect(Object.keys(WRITES)).toEqual(FOLDERS.filter((name) => name !== "shared").sort());
  });

  it("reject writes while the server is killed, and handle every rejection", () =>
    outage(
      () => redis.kill(),
      () => redis.start(),
      "KV_CONNECTION",
    ));

  it("reject writes while the memory of the server is full", async () => {
    await outage(setMemory("1"), setMemory("0"), "KV_QUOTA");
  });

  it("let a person log out while the memory of the server is full", async () => {
    const [ann, store] = await app(1000);
    await ann.get("/login");
    const late = ann.copy();
    await setMemory("1")();
    expect((await ann.get("/logout")).text).toBe("out");
    expect(await store.prefix("session:").keys()).toEqual([]);
    await setMemory("0")();
    expect((await late.get("/")).text).toBe("undefined");
  });
});
