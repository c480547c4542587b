// Sessions and a limit in Fastify: `npm run example -- fastify`.
import type { AddressInfo } from "node:net";
import fastifyCookie from "@fastify/cookie";
import rateLimit from "@fastify/rate-limit";
import fastifySession from "@fastify/session";
import { expressSessionStore } from "anykv/with/express-session";
import { fastifyRateLimitStore } from "anykv/with/fastify-rate-limit";
import session from "express-session";
import fastify from "fastify";
import { announce, port, store } from "./store.ts";

declare module "fastify" {
  interface Session {
    user?: string;
  }
}

const app = fastify();
await app.register(fastifyCookie);
await app.register(fastifySession, {
  store: expressSessionStore(session, store.prefix("session:")) as never,
  secret: process.env.SESSION_SECRET ?? "a secret of the example, 32 characters",
  saveUninitialized: false,
  cookie: { maxAge: 86_400_000, secure: false, sameSite: "lax" },
});
await app.register(rateLimit, {
  global: false,
  store: fastifyRateLimitStore(store.prefix("limit:")),
});

const logins = { config: { rateLimit: { max: 5, timeWindow: 60_000 } } };
const page = (text: string, action: string, label: string): string =>
  `<p>${text}</p><form method="post" action="${action}"><button>${label}</button></form>`;

app.get("/", async (request, reply) => {
  const { user } = request.session;
  reply.type("text/html");
  return user === undefined
    ? page("Hello", "/login/ann", "Log in")
    : page(`Hello ${user}`, "/logout", "Log out");
});
app.post<{ Params: { name: string } }>("/login/:name", logins, async (request, reply) => {
  await request.session.regenerate();
  request.session.user = encodeURIComponent(request.params.name);
  return reply.redirect("/", 303);
});
app.post("/logout", async (request, reply) => {
  await request.session.destroy();
  return reply.redirect("/", 303);
});
// A form without fields has an empty body.
app.addContentTypeParser("application/x-www-form-urlencoded", (_request, _body, done) =>
  done(null),
);

await app.listen({ port, host: "127.0.0.1" });
announce((app.server.address() as AddressInfo).port);
