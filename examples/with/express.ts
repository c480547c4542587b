// Sessions and a limit of logins in Express: `npm run example -- express`.
import type { AddressInfo } from "node:net";
import { expressRateLimitStore } from "anykv/with/express-rate-limit";
import { expressSessionStore } from "anykv/with/express-session";
import express from "express";
import { rateLimit } from "express-rate-limit";
import session from "express-session";
import { announce, port, store } from "./store.ts";

declare module "express-session" {
  interface SessionData {
    user: string;
    visits: number;
  }
}

const app = express();
app.use(
  session({
    store: expressSessionStore(session, store.prefix("session:"), { onConflict: "merge" }),
    secret: process.env.SESSION_SECRET ?? "a secret of the example",
    resave: false,
    saveUninitialized: false,
    cookie: { maxAge: 86_400_000, sameSite: "lax" },
  }),
);
const logins = rateLimit({
  windowMs: 60_000,
  limit: 5,
  store: expressRateLimitStore(store, { prefix: "login:" }),
});

app.get("/", (req, res) => {
  const { user } = req.session;
  if (user === undefined) {
    res.send('<form method="post" action="/login/ann"><button>Log in</button></form>');
    return;
  }
  req.session.visits = (req.session.visits ?? 0) + 1;
  res.send(`<p>Hello ${user}, visit ${req.session.visits}</p>
    <form method="post" action="/logout"><button>Log out</button></form>`);
});
app.post("/login/:name", logins, (req, res, next) => {
  // A new id: an id from before the login must not be logged in.
  req.session.regenerate((error) => {
    if (error) return next(error);
    req.session.user = encodeURIComponent(String(req.params.name));
    res.redirect(303, "/");
  });
});
app.post("/logout", (req, res, next) => {
  req.session.destroy((error) => (error ? next(error) : res.redirect(303, "/")));
});

const server = app.listen(port, "127.0.0.1", () =>
  announce((server.address() as AddressInfo).port),
);
