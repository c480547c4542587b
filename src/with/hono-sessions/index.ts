import type { Store } from "../../api.ts";
import { createSessions, type SessionsOptions } from "../../session/sessions.ts";
import type { Expires } from "../../types.ts";

/** A session of hono-sessions. */
export interface HonoSessionsData {
  /** When the session ends, as an ISO text; `null` for a session without a deadline of its own. */
  _expire: string | null;
}

/** A store of hono-sessions. */
export interface HonoSessionsStore {
  // The type of the data belongs to the framework.
  getSessionById(id?: string): Promise<never>;
  createSession(id: string, data: HonoSessionsData): Promise<void>;
  persistSessionData(id: string, data: HonoSessionsData): Promise<void>;
  deleteSession(id: string): Promise<void>;
}

const expiresOf = ({ _expire }: HonoSessionsData): Expires | undefined =>
  _expire === null ? undefined : new Date(_expire);

/**
 * Data that throws an error when it is read. The middleware would take a rejection for an absent
 * session, and an outage would log people out.
 */
function throwing(error: unknown): object {
  const get = (): never => {
    throw error;
  };
  return Object.defineProperties(
    {},
    Object.fromEntries(
      ["_data", "_expire", "toJSON"].map((name) => [name, { get, enumerable: true }]),
    ),
  );
}

/**
 * A store for hono-sessions. A session ends at its deadline (`expireAfterSeconds`), or after
 * `expires`. A deleted session stays deleted, whatever is saved late. While the store cannot be
 * reached, requests fail, and no user is logged out.
 *
 * @throws {KvError} KV_INVALID_CLIENT for anything but a store; KV_INVALID_VALUE for unknown
 * options.
 * @example
 * import kv from "anykv";
 * import { honoSessionsStore } from "anykv/with/hono-sessions";
 * import { Hono } from "hono";
 * import { sessionMiddleware } from "hono-sessions";
 *
 * const store = honoSessionsStore(kv(new Map()).prefix("session:"));
 * const app = new Hono();
 * app.use("*", sessionMiddleware({ store, expireAfterSeconds: 3600 }));
 * console.log(typeof store.getSessionById); // function
 */
export function honoSessionsStore(store: Store, options: SessionsOptions = {}): HonoSessionsStore {
  const sessions = createSessions(store, options);
  return {
    getSessionById: (id) =>
      (id ? sessions.read<object>(id).catch(throwing) : Promise.resolve(null)) as Promise<never>,
    createSession: async (id, data) => void (await sessions.create(id, data, expiresOf(data))),
    persistSessionData: async (id, data) => void (await sessions.write(id, data, expiresOf(data))),
    deleteSession: (id) => sessions.destroy(id),
  };
}
