import type { Store } from "../../api.ts";
import { createSessions, type SessionsOptions } from "../../session/sessions.ts";
import type { Expires } from "../../types.ts";
import { callWith, type NodeCallback } from "../shared/callback.ts";

/** The part of the package express-session that is used: the class of its stores. */
export interface ExpressSessionModule {
  readonly Store: abstract new (...args: never[]) => ExpressBaseStore;
}

/** The base class of the stores of express-session. */
export interface ExpressBaseStore {
  // The types of requests and sessions belong to the frameworks.
  createSession(request: never, session: never): unknown;
}

/** A session of express-session and @fastify/session. */
export interface ExpressSessionData {
  readonly cookie?:
    | {
        readonly expires?: Date | string | boolean | null | undefined;
        readonly originalMaxAge?: number | null | undefined;
      }
    | undefined;
}

/** The methods of a store of express-session. */
export interface ExpressSessionMethods {
  get(id: string, callback: (error: unknown, session?: never) => void): void;
  set(id: string, session: ExpressSessionData, callback?: (error?: unknown) => void): void;
  touch(id: string, session: ExpressSessionData, callback?: () => void): void;
  destroy(id: string, callback?: (error?: unknown) => void): void;
  all(callback: (error: unknown, sessions?: never) => void): void;
  length(callback: (error: unknown, length?: number) => void): void;
  clear(callback?: (error?: unknown) => void): void;
}

/** When the cookie says that the session ends; `undefined` for a cookie of the browser session. */
function expiresOf({ cookie }: ExpressSessionData): Expires | undefined {
  const { expires, originalMaxAge } = cookie ?? {};
  if (expires instanceof Date || typeof expires === "string") return new Date(expires);
  return typeof originalMaxAge === "number" ? new Date(Date.now() + originalMaxAge) : undefined;
}

/** The members of a store, for the class of the framework. */
function methodsOver(
  store: Store,
  options: SessionsOptions,
): ExpressSessionMethods & {
  adopt(copy: object, original: object): void;
} {
  const sessions = createSessions(store, options);
  const known = new WeakSet<object>();
  const save = (id: string, session: ExpressSessionData): Promise<boolean> => {
    const isNew = !known.has(session);
    known.add(session);
    const expires = expiresOf(session);
    return isNew ? sessions.create(id, session, expires) : sessions.write(id, session, expires);
  };
  return {
    adopt(copy, original) {
      known.add(copy);
      sessions.adopt(copy, original);
    },
    get: (id, callback) => callWith(sessions.read(id), callback as NodeCallback<unknown>),
    set: (id, session, callback) =>
      callWith(
        save(id, session).then(() => undefined),
        callback,
      ),
    touch: (id, session, callback) =>
      callWith(
        sessions.touch(id, expiresOf(session)).then(() => undefined),
        callback as NodeCallback,
      ),
    destroy: (id, callback) => callWith(sessions.destroy(id), callback),
    all: (callback) =>
      callWith(
        // As the stores of others do: the id is not a part of the session.
        sessions.all().then((all) => all.map(([id, data]) => ({ id, ...(data as object) }))),
        callback as NodeCallback<unknown>,
      ),
    length: (callback) => callWith(sessions.count(), callback),
    clear: (callback) => callWith(sessions.clear(), callback),
  };
}

/**
 * A session store for express-session, and for @fastify/session, which has the same contract.
 *
 * - `touch` only moves the deadline. A logged-out session stays logged out, whatever is saved late.
 * - `{ onConflict: "merge" }` keeps the changes of concurrent requests to different members.
 * - The session ends with its cookie. A cookie of the browser session ends after `expires`.
 * - While the store cannot be reached, requests fail. They do not go on without a session.
 *
 * @param session the package: `import session from "express-session"`.
 * @throws {KvError} KV_INVALID_CLIENT for anything but a store; KV_INVALID_VALUE for unknown
 * options.
 * @example
 * import kv from "anykv";
 * import { expressSessionStore } from "anykv/with/express-session";
 * import express from "express";
 * import session from "express-session";
 *
 * const store = expressSessionStore(session, kv(new Map()).prefix("session:"));
 * const app = express();
 * app.use(session({ store, secret: "a secret", resave: false, saveUninitialized: false }));
 * console.log(typeof store.touch); // function
 */
export function expressSessionStore<Module extends ExpressSessionModule>(
  { Store: Base }: Module,
  store: Store,
  options: SessionsOptions = {},
): InstanceType<Module["Store"]> & ExpressSessionMethods {
  const { adopt, ...methods } = methodsOver(store, options);
  class KvSessionStore extends (Base as new () => ExpressBaseStore) {
    override createSession(request: never, session: never): unknown {
      const created = super.createSession(request, session);
      adopt(created as object, session);
      return created;
    }
  }
  return Object.assign(new KvSessionStore(), methods) as never;
}
