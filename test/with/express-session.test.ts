import { EventEmitter, once } from "node:events";
import fastifyCookie from "@fastify/cookie";
import fastifySession from "@fastify/session";
import express from "express";
import session from "express-session";
import fastify from "fastify";
import { describe, expect, it } from "vitest";
import kv, { type Store } from "../../src/index.ts";
import type { SessionsOptions } from "../../src/session/index.ts";
import { expressSessionStore } from "../../src/with/express-session/index.ts";
import { failingClient } from "../support/plain-client.ts";
import { INTEGRATION_STORES } from "../support/integration-stores.ts";
import { serve, Visitor } from "../support/web-app.ts";

type Data = session.SessionData & { [name: string]: unknown };

/** An app that keeps a person's session. `/slow` waits for the event before it answers. */
async function app(
  store: Store,
  options: SessionsOptions = {},
  cookie: session.CookieOptions = {},
): Promise<{ url: string; events: EventEmitter; sessions: session.Store }> {
  const events = new EventEmitter();
  const sessions = expressSessionStore(session, store, options);
  const web = express();
  web.set("env", "test");
  const settings = { secret: "a secret", resave: false, saveUninitialized: false, cookie };
  web.use(session({ store: sessions, ...settings }));
  web.get("/set/:name/:value", (req, res) => {
    (req.session as unknown as Data)[req.params.name] = req.params.value;
    res.send("set");
  });
  web.get("/slow/:name", async (req, res) => {
    (req.session as unknown as Data)[req.params.name] = true;
    const going = once(events, `go ${req.params.name}`);
    events.emit("waiting");
    await going;
    res.send("slow");
  });
  web.get("/logout", (req, res, next) =>
    req.session.destroy((error) => (error ? next(error) : res.send("out"))),
  );
  web.get("/login", (req, res, next) =>
    req.session.regenerate((error) => {
      (req.session as unknown as Data).user = "ann";
      error ? next(error) : res.send("in");
    }),
  );
  web.get("/", (req, res) => {
    const { cookie: _cookie, ...data } = req.session as unknown as Data;
    res.json(data);
  });
  web.use(((error: Error, _req, res, _next) => {
    res.status(500).send(error.message);
  }) satisfies express.ErrorRequestHandler);
  return { url: await serve(web as never), events, sessions };
}

describe.each(INTEGRATION_STORES)("express-session on %s", (_, open) => {
  it("keeps a session, touches it, and forgets a logged-out person", async () => {
    const store = (await open()).prefix("basics:");
    const { url } = await app(store, {}, { maxAge: 60_000 });
    const ann = new Visitor(url);
    expect((await ann.get("/")).text).toBe("{}");
    expect(await store.keys()).toEqual([]);
    await ann.get("/set/user/ann");
    expect((await ann.get("/")).text).toBe('{"user":"ann"}');
    const [id] = await store.keys();
    const before = (await store.entry(id!))!;
    await expect
      .poll(async () => (await ann.get("/"), (await store.entry(id!))!.expires!))
      .toBeGreaterThan(before.expires!);
    expect((await store.entry(id!))!.value).toEqual(before.value);
    const other = ann.copy();
    await ann.get("/logout");
    expect((await other.get("/")).text).toBe("{}");
  });

  it("keeps a person logged out whose slow request ends after the logout", async () => {
    const store = (await open()).prefix("late:");
    const { url, events } = await app(store);
    const ann = new Visitor(url);
    await ann.get("/set/user/ann");
    const [slow, check] = [ann.copy(), ann.copy()];
    const waiting = once(events, "waiting");
    const answer = slow.get("/slow/late");
    await waiting;
    await ann.get("/logout");
    events.emit("go late");
    expect((await answer).status).toBe(200);
    expect((await check.get("/")).text).toBe("{}");
  });

  it("merges the saves of two concurrent requests", async () => {
    const { url, events } = await app((await open()).prefix("merge:"), { onConflict: "merge" });
    const ann = new Visitor(url);
    await ann.get("/set/user/ann");
    const waiting = once(events, "waiting");
    const slow = ann.copy().get("/slow/theme");
    await waiting;
    await ann.get("/set/cart/tea");
    events.emit("go theme");
    await slow;
    expect(JSON.parse((await ann.get("/")).text)).toEqual({
      user: "ann",
      cart: "tea",
      theme: true,
    });
  });

  it("gives a new id at login, and ends the old session", async () => {
    const store = (await open()).prefix("login:");
    const { url } = await app(store);
    const ann = new Visitor(url);
    await ann.get("/set/cart/tea");
    const old = ann.copy();
    await ann.get("/login");
    expect((await ann.get("/")).text).toBe('{"user":"ann"}');
    expect((await old.get("/")).text).toBe("{}");
  });

  it("ends sessions at their deadline, by default after `expires`", async () => {
    const store = (await open()).prefix("expiry:");
    const short = new Visitor((await app(store, {}, { maxAge: 150 })).url);
    await short.get("/set/user/ann");
    await expect.poll(() => store.keys()).toEqual([]);
    const long = new Visitor((await app(store, { expires: "1h" })).url);
    await long.get("/set/user/ann");
    const [id] = await store.keys();
    const left = (await store.entry(id!))!.expires! - Date.now();
    expect(left).toBeGreaterThan(3_500_000);
    expect(left).toBeLessThanOrEqual(3_600_000);
  });

  it("lists, counts and clears under its prefix", async () => {
    const store = (await open()).prefix("all:");
    await store.set("other", 1);
    const { url, sessions } = await app(store.prefix("session:"));
    await new Visitor(url).get("/set/user/ann");
    await new Visitor(url).get("/set/user/bob");
    const call = <T>(work: (callback: (error: unknown, result?: T) => void) => void): Promise<T> =>
      new Promise((resolve, reject) =>
        work((error, result) => (error ? reject(error as Error) : resolve(result as T))),
      );
    expect(await call((done) => sessions.length!(done))).toBe(2);
    const all = await call<Data[]>((done) => sessions.all!(done as never));
    expect(all.map(({ user }) => user).sort()).toEqual(["ann", "bob"]);
    await call<void>((done) => sessions.clear!(done));
    expect(await store.keys()).toEqual(["other"]);
  });
});

describe("express-session", () => {
  it("gets the errors of a store that is down, and goes on when it is up", async () => {
    const client = failingClient();
    const { url } = await app(kv(client as never));
    const ann = new Visitor(url);
    client.isDown = false;
    expect((await ann.get("/set/user/ann")).status).toBe(200);
    client.isDown = true;
    expect(await ann.get("/")).toMatchObject({
      status: 500,
      text: expect.stringContaining("failed") as string,
    });
    client.isDown = false;
    expect((await ann.get("/")).text).toBe('{"user":"ann"}');
  });

  it("rejects wrong options at once", () => {
    expect(() => expressSessionStore(session, kv(), { ttl: 5 } as never)).toThrow(
      expect.objectContaining({ code: "KV_INVALID_VALUE" }) as Error,
    );
    expect(() => expressSessionStore(session, new Map() as never)).toThrow(
      expect.objectContaining({ code: "KV_INVALID_CLIENT" }) as Error,
    );
  });

  it("has a store that serves @fastify/session too", async () => {
    const store = kv(new Map());
    const web = fastify();
    await web.register(fastifyCookie);
    await web.register(fastifySession, {
      secret: "a secret that is at least 32 characters long",
      cookie: { secure: false },
      store: expressSessionStore(session, store) as never,
    });
    web.get("/set", (req) => {
      req.session.set("user" as never, "ann" as never);
      return "set";
    });
    web.get("/logout", async (req) => {
      await req.session.destroy();
      return "out";
    });
    web.get("/", (req) => ({ user: req.session.get("user" as never) ?? null }));
    await web.ready();
    const ann = new Visitor(await serve((req, res) => web.routing(req, res)));
    await ann.get("/set");
    const other = ann.copy();
    expect((await ann.get("/")).text).toBe('{"user":"ann"}');
    await ann.get("/logout");
    expect((await other.get("/")).text).toBe('{"user":null}');
    await web.close();
  });
});
