// A limit and sessions in Nest: `npm run example -- nest`. Decorators are called as functions.
import "reflect-metadata";
import { Controller, Get, Module, Post, Redirect, Req } from "@nestjs/common";
import { APP_GUARD, NestFactory } from "@nestjs/core";
import { ThrottlerGuard, ThrottlerModule } from "@nestjs/throttler";
import { expressSessionStore } from "anykv/with/express-session";
import { nestThrottlerStorage } from "anykv/with/nest-throttler";
import session from "express-session";
import { announce, port, store } from "./store.ts";

type Request = { session: { user?: string }; params: { name?: string } };

class Home {
  home({ session: { user } }: Request): string {
    const [action, label] = user === undefined ? ["/login/ann", "Log in"] : ["/logout", "Log out"];
    return `<p>Hello ${user ?? ""}</p>
      <form method="post" action="${action}"><button>${label}</button></form>`;
  }
  login(request: Request): void {
    request.session.user = encodeURIComponent(request.params.name!);
  }
  logout(request: Request): void {
    delete request.session.user;
  }
}
for (const [name, ...decorators] of [
  ["home", Get()],
  ["login", Post("login/:name"), Redirect("/", 303)],
  ["logout", Post("logout"), Redirect("/", 303)],
] as const) {
  const method = Object.getOwnPropertyDescriptor(Home.prototype, name)!;
  for (const decorate of decorators) decorate(Home.prototype, name, method);
  Req()(Home.prototype, name, 0);
}
Controller()(Home);

class App {
  readonly name = "example";
}
const limit = { ttl: 60_000, limit: 20 };
const storage = nestThrottlerStorage(store.prefix("limit:"));
Module({
  imports: [ThrottlerModule.forRoot({ throttlers: [limit], storage })],
  controllers: [Home],
  providers: [{ provide: APP_GUARD, useClass: ThrottlerGuard }],
})(App);

const app = await NestFactory.create(App, { logger: ["error"] });
app.use(
  session({
    store: expressSessionStore(session, store.prefix("session:")),
    secret: process.env.SESSION_SECRET ?? "a secret of the example",
    resave: false,
    saveUninitialized: false,
  }),
);
await app.listen(port, "127.0.0.1");
announce(Number(new URL(await app.getUrl()).port));
