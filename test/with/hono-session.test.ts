import { useSession, type SessionEnv, useSessionStorage } from "@hono/session";
import { getRequestListener } from "@hono/node-server";
import { Hono } from "hono";
import { describe, expect, it } from "vitest";
import kv, { type Store } from "../../src/index.ts";
import { type HonoSessionOptions, honoSessionStorage } from "../../src/with/hono-session/index.ts";
import { INTEGRATION_STORES } from "../support/integration-stores.ts";
import { failingClient } from "../support/plain-client.ts";
import { serve, Visitor } from "../support/web-app.ts";

type Data = { [name: string]: unknown };

async function app(store: Store, options: HonoSessionOptions = {}): Promise<Visitor> {
  const web = new Hono<SessionEnv<Data>>();
  web.use(
    useSessionStorage<Data, SessionEnv<Data>>(honoSessionStorage(store, options)),
    useSession<Data>({ secret: "a secret that has at least 32 characters" }),
  );
  web.onError((error, c) => c.text(error.message, 500));
  web.get("/set/:name", async (c) => {
    await c.var.session.update((before) => ({ ...before, [c.req.param("name")]: true }));
    return c.text("set");
  });
  web.get("/logout", async (c) => {
    await c.var.session.get();
    c.var.session.delete();
    return c.text("out");
  });
  web.get("/", async (c) => c.json(await c.var.session.get()));
  return new Visitor(await serve(getRequestListener(web.fetch)));
}

describe.each(INTEGRATION_STORES)("@hono/session on %s", (_, open) => {
  it("keeps a session for `expires`, until the person logs out", async () => {
    const store = (await open()).prefix("basics:");
    const waiting: Promise<void>[] = [];
    const ann = await app(store, { expires: "1h", waitUntil: (work) => void waiting.push(work) });
    await ann.get("/set/a");
    // The framework does not wait for the first save; the next request sees it all the same.
    await ann.get("/set/b");
    expect((await ann.get("/")).text).toBe('{"a":true,"b":true}');
    await Promise.all(waiting);
    const [id] = await store.keys();
    expect((await store.entry(id!))!.expires! - Date.now()).toBeGreaterThan(3_500_000);
    const other = ann.copy();
    await ann.get("/logout");
    expect((await other.get("/")).text).toBe("null");
  });

  it("keeps a destroyed session destroyed", async () => {
    const store = (await open()).prefix("late:");
    const storage = honoSessionStorage(store);
    storage.set("a", { user: "ann" });
    storage.delete("a");
    storage.set("a", { user: "back" });
    expect(await storage.get("a")).toBe(null);
  });
});

describe("@hono/session", () => {
  it("hands errors of saves to onError, and rejects reads", async () => {
    const client = failingClient();
    const errors: unknown[] = [];
    const ann = await app(kv(client as never), { onError: (error) => errors.push(error) });
    expect((await ann.get("/set/a")).status).toBe(200);
    await expect.poll(() => errors.length).toBe(1);
    expect(errors[0]).toMatchObject({ code: "KV_CONNECTION" });
    expect((await ann.get("/")).status).toBe(500);
    client.isDown = false;
    expect((await ann.get("/")).text).toBe("null");
  });

  it("rejects wrong options at once", () => {
    for (const wrong of [{ ttl: 5 }, { onConflict: "merge" }])
      expect(() => honoSessionStorage(kv(), wrong as never)).toThrow(
        expect.objectContaining({ code: "KV_INVALID_VALUE" }) as Error,
      );
  });
});
