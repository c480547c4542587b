import { getRequestListener } from "@hono/node-server";
import { Hono } from "hono";
import { type Session, sessionMiddleware } from "hono-sessions";
import { describe, expect, it } from "vitest";
import kv, { type Store } from "../../src/index.ts";
import type { SessionsOptions } from "../../src/session/index.ts";
import { honoSessionsStore } from "../../src/with/hono-sessions/index.ts";
import { INTEGRATION_STORES } from "../support/integration-stores.ts";
import { failingClient } from "../support/plain-client.ts";
import { serve, Visitor } from "../support/web-app.ts";

type Env = {
  Variables: { session: Session<{ [name: string]: unknown }>; session_key_rotation: boolean };
};

/** An app with sessions. `/slow/:name` runs `meanwhile` between its read and its save. */
async function app(
  store: Store,
  options: SessionsOptions = {},
  meanwhile: () => Promise<unknown> = async () => {},
  expireAfterSeconds = 600,
): Promise<Visitor> {
  const web = new Hono<Env>();
  web.use("*", sessionMiddleware({ store: honoSessionsStore(store, options), expireAfterSeconds }));
  web.onError((error, c) => c.text(error.message, 500));
  web.get("/set/:name/:value", (c) => {
    c.get("session").set(c.req.param("name"), c.req.param("value"));
    return c.text("set");
  });
  web.get("/slow/:name", async (c) => {
    c.get("session").set(c.req.param("name"), true);
    await meanwhile();
    return c.text("slow");
  });
  web.get("/login/:name", (c) => {
    c.get("session").set("user", c.req.param("name"));
    c.set("session_key_rotation", true);
    return c.text("in");
  });
  web.get("/logout", (c) => {
    c.get("session").deleteSession();
    return c.text("out");
  });
  web.get("/", (c) =>
    c.json(["user", "cart", "late"].map((name) => c.get("session").get(name) ?? null)),
  );
  return new Visitor(await serve(getRequestListener(web.fetch)));
}

describe.each(INTEGRATION_STORES)("hono-sessions on %s", (_, open) => {
  it("keeps a session until its deadline, or until the person logs out", async () => {
    const store = (await open()).prefix("basics:");
    const ann = await app(store);
    await ann.get("/set/user/ann");
    expect((await ann.get("/")).text).toBe('["ann",null,null]');
    const [id] = await store.keys();
    const { value, expires } = (await store.entry<{ _expire: string }>(id!))!;
    expect(expires).toBe(Date.parse(value._expire));
    const other = ann.copy();
    await ann.get("/logout");
    expect((await other.get("/")).text).toBe("[null,null,null]");
  });

  it("keeps a session whose id rotates, and ends the old id", async () => {
    const ann = await app((await open()).prefix("rotated:"));
    await ann.get("/set/cart/tea");
    const before = ann.copy();
    await ann.get("/login/ann");
    expect((await ann.get("/")).text).toBe('["ann","tea",null]');
    expect((await before.get("/")).text).toBe("[null,null,null]");
  });

  it("ends a session at its deadline", async () => {
    const store = (await open()).prefix("short:");
    const ann = await app(store, {}, undefined, 0.15);
    await ann.get("/set/user/ann");
    await expect.poll(() => store.keys()).toEqual([]);
    expect((await ann.get("/")).text).toBe("[null,null,null]");
  });

  it("keeps a person logged out whose slow request ends after the logout", async () => {
    const store = (await open()).prefix("late:");
    const ann: Visitor = await app(store, {}, async () => (await ann.copy().get("/logout")).text);
    await ann.get("/set/user/ann");
    const check = ann.copy();
    expect((await ann.copy().get("/slow/late")).status).toBe(200);
    expect((await check.get("/")).text).toBe("[null,null,null]");
  });

  it("merges the saves of two concurrent requests", async () => {
    const ann: Visitor = await app(
      (await open()).prefix("merge:"),
      { onConflict: "merge" },
      async () => (await ann.copy().get("/set/cart/tea")).text,
    );
    await ann.get("/set/user/ann");
    await ann.copy().get("/slow/late");
    expect((await ann.get("/")).text).toBe('["ann","tea",true]');
  });
});

describe("hono-sessions", () => {
  it("fails requests while the store is down, and logs nobody out", async () => {
    const client = failingClient();
    client.isDown = false;
    const ann = await app(kv(client as never));
    await ann.get("/set/user/ann");
    const { cookies } = ann.copy();
    client.isDown = true;
    expect(await ann.get("/")).toMatchObject({ status: 500 });
    expect(ann.cookies).toEqual(cookies);
    client.isDown = false;
    expect((await ann.get("/")).text).toBe('["ann",null,null]');
  });

  it("fails a request whose one read fails, and makes no new session", async () => {
    const client = failingClient();
    client.isDown = false;
    const ann = await app(kv(client as never));
    await ann.get("/set/user/ann");
    const { cookies } = ann.copy();
    let failures = 1;
    Object.defineProperty(client, "isDown", { get: () => failures-- > 0 });
    expect(await ann.get("/")).toMatchObject({ status: 500 });
    expect(ann.cookies).toEqual(cookies);
    expect((await ann.get("/")).text).toBe('["ann",null,null]');
  });

  it("rejects wrong options at once", () => {
    expect(() => honoSessionsStore(kv(), { ttl: 5 } as never)).toThrow(
      expect.objectContaining({ code: "KV_INVALID_VALUE" }) as Error,
    );
  });
});
