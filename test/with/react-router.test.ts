import { createSessionStorage } from "react-router";
import { describe, expect, it } from "vitest";
import kv from "../../src/index.ts";
import { reactRouterSessions } from "../../src/with/react-router/index.ts";
import { INTEGRATION_STORES } from "../support/integration-stores.ts";
import { failingClient } from "../support/plain-client.ts";
import { serve, Visitor } from "../support/web-app.ts";

type Data = { [name: string]: string };
const storageOver = (
  store: Parameters<typeof reactRouterSessions>[0],
  cookie: { maxAge?: number } = {},
): ReturnType<typeof createSessionStorage<Data, Data>> =>
  createSessionStorage<Data, Data>({
    cookie: { name: "session", secrets: ["a secret"], path: "/", ...cookie },
    ...reactRouterSessions(store),
  });

describe.each(INTEGRATION_STORES)("sessions of React Router on %s", (_, open) => {
  it("serve the actions of an app: log in, read, flash, log out", async () => {
    const store = (await open()).prefix("app:");
    const { getSession, commitSession, destroySession } = storageOver(store);
    const ann = new Visitor(
      await serve(async (req, res) => {
        const session = await getSession(req.headers.cookie);
        if (req.url === "/login") {
          session.set("user", "ann");
          session.flash("message", "welcome");
        }
        const shown = req.url === "/" ? ["user", "message"] : [];
        const body = JSON.stringify(shown.map((name) => session.get(name) ?? null));
        res.setHeader(
          "set-cookie",
          await (req.url === "/logout" ? destroySession(session) : commitSession(session)),
        );
        res.end(body);
      }),
    );
    await ann.get("/login");
    expect((await ann.get("/")).text).toBe('["ann","welcome"]');
    expect((await ann.get("/")).text).toBe('["ann",null]');
    expect((await store.keys()).length).toBe(1);
    const other = ann.copy();
    await ann.get("/logout");
    expect((await other.get("/")).text).toBe("[null,null]");
  });

  it("stay destroyed when a slow action commits late", async () => {
    const { getSession, commitSession, destroySession } = storageOver(
      (await open()).prefix("late:"),
    );
    const session = await getSession();
    session.set("user", "ann");
    const cookie = await commitSession(session);
    const late = await getSession(cookie);
    await destroySession(await getSession(cookie));
    late.set("user", "back");
    expect((await getSession(await commitSession(late))).get("user")).toBe(undefined);
  });

  it("take a new login with the cookie of a destroyed session, a minute later", async () => {
    const store = (await open()).prefix("stale:");
    const { getSession, commitSession, destroySession } = storageOver(store);
    const session = await getSession();
    const cookie = await commitSession(session);
    const { id } = await getSession(cookie);
    await destroySession(await getSession(cookie));
    expect((await store.entry(id))!.expires! - Date.now()).toBeLessThanOrEqual(60_000);
    // As at the end of that minute.
    await store.del(id);
    const again = await getSession(cookie);
    again.set("user", "ann");
    expect((await getSession(await commitSession(again))).get("user")).toBe("ann");
  });

  it("end with their cookie", async () => {
    const store = (await open()).prefix("end:");
    const { getSession, commitSession } = storageOver(store, { maxAge: 60 });
    const session = await getSession();
    session.set("user", "ann");
    await Promise.all([commitSession(session), commitSession(session)]);
    for (const { expires } of (await store.list()).entries) {
      expect(expires! - Date.now()).toBeGreaterThan(50_000);
      expect(expires! - Date.now()).toBeLessThanOrEqual(60_000);
    }
  });
});

describe("sessions of React Router", () => {
  it("reject when the store does, and reject wrong options at once", async () => {
    const { getSession, commitSession } = storageOver(kv(failingClient() as never));
    await expect(commitSession(await getSession())).rejects.toMatchObject({
      code: "KV_CONNECTION",
    });
    for (const wrong of [{ onConflict: "merge" }, { ttl: 5 }])
      expect(() => reactRouterSessions(kv(), wrong as never)).toThrow(
        expect.objectContaining({ code: "KV_INVALID_VALUE" }) as Error,
      );
  });
});
