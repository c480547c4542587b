import type { Store } from "../../api.ts";
import { checkOptions } from "../../platform/options.ts";
import { createSessions, type SessionsOptions } from "../../session/sessions.ts";

/** The part of a session storage of React Router and Remix that is not the cookie. */
export interface ReactRouterSessions {
  createData(data: object, expires?: Date): Promise<string>;
  // The type of the data belongs to the framework.
  readData(id: string): Promise<never>;
  updateData(id: string, data: object, expires?: Date): Promise<void>;
  deleteData(id: string): Promise<void>;
}

/**
 * The functions that `createSessionStorage()` of React Router and of Remix needs beside a cookie. A
 * session ends with its cookie, or after `expires`. A destroyed session stays destroyed, whatever
 * is committed late.
 *
 * @throws {KvError} KV_INVALID_CLIENT for anything but a store; KV_INVALID_VALUE for unknown
 * options.
 * @example
 * import kv from "anykv";
 * import { reactRouterSessions } from "anykv/with/react-router";
 * import { createSessionStorage } from "react-router";
 *
 * const { getSession, commitSession } = createSessionStorage({
 *   cookie: { name: "__session", secrets: ["a secret"], httpOnly: true, maxAge: 86_400 },
 *   ...reactRouterSessions(kv(new Map()).prefix("session:")),
 * });
 * const session = await getSession();
 * session.set("user", "ann");
 * const cookie = await commitSession(session);
 * console.log((await getSession(cookie)).get("user")); // ann
 */
export function reactRouterSessions(
  store: Store,
  options: Omit<SessionsOptions, "onConflict"> = {},
): ReactRouterSessions {
  // React Router gives no sign of which read a save belongs to.
  checkOptions(options, ["expires", "tombstone"], "reactRouterSessions()");
  // A browser that has kept the cookie of a destroyed session logs in under its id. Nothing tells
  // that save from a late one, which comes within a moment.
  const sessions = createSessions(store, { tombstone: "1m", ...options });
  return {
    async createData(data, expires) {
      const id = crypto.randomUUID();
      await sessions.create(id, data, expires);
      return id;
    },
    readData: (id) => sessions.read(id) as Promise<never>,
    updateData: async (id, data, expires) => void (await sessions.write(id, data, expires)),
    deleteData: (id) => sessions.destroy(id),
  };
}
