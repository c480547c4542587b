// Sessions and a cache in Hono: `npm run example -- hono`.
import { serve } from "@hono/node-server";
import { createCache } from "anykv/cache";
import { honoSessionsStore } from "anykv/with/hono-sessions";
import { Hono } from "hono";
import { html } from "hono/html";
import { type Session, sessionMiddleware } from "hono-sessions";
import { announce, port, store } from "./store.ts";

type Env = { Variables: { session: Session<{ user?: string }> } };

const cache = createCache(store.prefix("cache:"), { ttl: "10s", grace: "1h" });
const app = new Hono<Env>();
app.use(
  "*",
  sessionMiddleware({
    store: honoSessionsStore(store.prefix("session:")),
    expireAfterSeconds: 86_400,
    cookieOptions: { sameSite: "Lax", path: "/", httpOnly: true },
  }),
);

app.get("/", async (c) => {
  const user = c.get("session").get("user");
  // Computed every 10 seconds, and once for everyone who asks meanwhile.
  const quote = await cache.getOrSet("quote", () => `quote ${Math.random()}`);
  const [action, label] = !user ? ["/login/ann", "Log in"] : ["/logout", "Log out"];
  return c.html(html`
    <p>Hello ${user ?? ""}</p>
    <p>${quote}</p>
    <form method="post" action="${action}"><button>${label}</button></form>
  `);
});
app.post("/login/:name", (c) => {
  c.get("session").set("user", c.req.param("name"));
  return c.redirect("/", 303);
});
app.post("/logout", (c) => {
  c.get("session").deleteSession();
  return c.redirect("/", 303);
});

serve({ fetch: app.fetch, port, hostname: "127.0.0.1" }, (info) => announce(info.port));
