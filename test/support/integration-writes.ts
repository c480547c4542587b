import { finished } from "node:stream/promises";
import { BaseStore } from "@langchain/langgraph-checkpoint";
import { Store as SessionStore } from "express-session";
import { RateLimiterRes } from "rate-limiter-flexible";
// @ts-expect-error the package has no types for this file.
import RateLimiterStoreAbstract from "rate-limiter-flexible/lib/RateLimiterStoreAbstract.js";
import type { Store } from "../../src/index.ts";
import { apolloCache } from "../../src/with/apollo/index.ts";
import { authJsAdapter } from "../../src/with/auth-js/index.ts";
import { axiosCacheStorage } from "../../src/with/axios-cache-interceptor/index.ts";
import { bentocacheDriver } from "../../src/with/bentocache/index.ts";
import { betterAuthStorage } from "../../src/with/better-auth/index.ts";
import { expressRateLimitStore } from "../../src/with/express-rate-limit/index.ts";
import { expressSessionStore } from "../../src/with/express-session/index.ts";
import { fastifyRateLimitStore } from "../../src/with/fastify-rate-limit/index.ts";
import { grammyStorage } from "../../src/with/grammy/index.ts";
import { honoSessionStorage } from "../../src/with/hono-session/index.ts";
import { honoSessionsStore } from "../../src/with/hono-sessions/index.ts";
import { jotaiStorage } from "../../src/with/jotai/index.ts";
import { keyvStore } from "../../src/with/keyv/index.ts";
import { langgraphStore } from "../../src/with/langgraph/index.ts";
import { mcpEventStore } from "../../src/with/mcp/index.ts";
import { nestThrottlerStorage } from "../../src/with/nest-throttler/index.ts";
import { nextCacheHandlers } from "../../src/with/next/index.ts";
import { oidcAdapter } from "../../src/with/oidc-provider/index.ts";
import { openauthStorage } from "../../src/with/openauth/index.ts";
import { flexibleRateLimiter } from "../../src/with/rate-limiter-flexible/index.ts";
import { reactRouterSessions } from "../../src/with/react-router/index.ts";
import { reduxPersistStorage } from "../../src/with/redux-persist/index.ts";
import { tanstackQueryStorage } from "../../src/with/tanstack-query/index.ts";
import { telegrafSessionStore } from "../../src/with/telegraf/index.ts";
import { undiciCacheStore } from "../../src/with/undici/index.ts";
import { unstorageDriver } from "../../src/with/unstorage/index.ts";
import { zustandStorage } from "../../src/with/zustand/index.ts";

type Callback<T> = (error: unknown, result?: T) => void;

/** A promise of what a method with a callback answers. */
const promised = <T>(run: (callback: Callback<T>) => void): Promise<unknown> =>
  new Promise((resolve, reject) =>
    run((error, result) => (error ? reject(error as Error) : resolve(result))),
  );

/** A write whose errors go to `onError`. It rejects with the first of them. */
const reported =
  (write: (store: Store, onError: (error: unknown) => void) => unknown) =>
  (store: Store) =>
  async (): Promise<void> => {
    const errors: unknown[] = [];
    await write(store, (error) => errors.push(error));
    if (errors.length > 0) throw errors[0];
  };

const user = { id: "u", email: "ann@example.com", emailVerified: null };

/** A write as each framework makes it. It rejects where the framework is told of a failure. */
export const WRITES: { readonly [name: string]: (store: Store) => () => Promise<unknown> } = {
  apollo: (store) => () => apolloCache(store).set("a", "text", { ttl: 60 }),
  "auth-js": (store) => {
    let users = 0;
    return () => {
      const id = `${++users}`;
      return authJsAdapter(store).createUser({ ...user, id, email: `${id}@example.com` } as never);
    };
  },
  "axios-cache-interceptor": reported((store, onError) =>
    axiosCacheStorage(store, { onError }).set("a", {
      state: "loading",
      previous: "empty",
    } as never),
  ),
  bentocache: (store) => async () => bentocacheDriver(store).factory({}).set("a", "text", 60_000),
  "better-auth": (store) => () => betterAuthStorage(store).increment("a", 60),
  "express-rate-limit": (store) => {
    const counts = expressRateLimitStore(store);
    counts.init({ windowMs: 60_000 } as never);
    return async () => counts.increment("a");
  },
  "express-session": (store) => {
    const sessions = expressSessionStore({ Store: SessionStore }, store);
    return () => promised((done) => sessions.set("a", { cookie: {} } as never, done));
  },
  "fastify-rate-limit": (store) => {
    const counts = new (fastifyRateLimitStore(store))({});
    return () => promised((done) => counts.incr("a", done, 60_000, 5));
  },
  grammy: (store) => async () => grammyStorage<object>(store).write("a", { n: 1 }),
  "hono-session": reported(async (store, onError) => {
    const waiting: Promise<void>[] = [];
    const waitUntil = (work: Promise<void>): void => void waiting.push(work);
    honoSessionStorage(store, { waitUntil, onError }).set("a", { n: 1 });
    await Promise.all(waiting);
  }),
  "hono-sessions": (store) => async () =>
    honoSessionsStore(store).createSession("a", { _data: {}, _expire: null } as never),
  jotai: reported((store, onError) => jotaiStorage(store, { onError }).setItem("a", 1)),
  keyv: (store) => () => keyvStore(store).set("a", 1, Date.now() + 60_000),
  langgraph: (store) => () => langgraphStore(BaseStore, store).put(["n"], "k", { n: 1 }),
  mcp: (store) => {
    const events = mcpEventStore(store, { session: "s" });
    return () => events.storeEvent("a", { jsonrpc: "2.0", method: "ping", id: 1 });
  },
  "nest-throttler": (store) => () =>
    nestThrottlerStorage(store).increment("a", 60_000, 5, 60_000, "default"),
  next: (store) => () => nextCacheHandlers(store).updateTags(["a"]),
  "oidc-provider": (store) => () => oidcAdapter(store)("Grant").upsert("a", { n: 1 }, 60),
  openauth: (store) => () => openauthStorage(store).set(["a"], { n: 1 }),
  "rate-limiter-flexible": (store) => {
    const classes = { RateLimiterRes, RateLimiterStoreAbstract } as never;
    const limiter: { consume(key: string): Promise<unknown> } = flexibleRateLimiter(
      classes,
      store,
      { points: 1e6, duration: 60 },
    );
    return () => limiter.consume("a");
  },
  "react-router": (store) => () => reactRouterSessions(store).createData({ n: 1 }),
  "redux-persist": (store) => async () => reduxPersistStorage(store).setItem("a", "text"),
  "tanstack-query": reported((store, onError) =>
    tanstackQueryStorage(store, { onError }).setItem("a", "text"),
  ),
  telegraf: (store) => async () => telegrafSessionStore<object>(store).set("a", { n: 1 }),
  undici: (store) => async () => {
    const [cachedAt, deleteAt] = [Date.now(), Date.now() + 60_000];
    const key = { origin: "http://localhost", method: "GET", path: "/" };
    const times = { cachedAt, staleAt: deleteAt, deleteAt };
    const value = { statusCode: 200, statusMessage: "OK", headers: {}, ...times };
    const body = undiciCacheStore(store).createWriteStream(key, value);
    body.end("body");
    await finished(body);
  },
  unstorage: (store) => async () => unstorageDriver(store).setItem("a", "text", {}),
  zustand: reported((store, onError) =>
    zustandStorage(store, { onError }).setItem("a", { state: {} }),
  ),
};
