import type { Store } from "../../api.ts";
import { checkOptions } from "../../platform/options.ts";
import { createSessions, type SessionsOptions } from "../../session/sessions.ts";

/** A storage of @hono/session. */
export interface HonoSessionStorage {
  // The type of the data belongs to the framework.
  get(id: string): Promise<never>;
  set(id: string, data: object): void;
  delete(id: string): void;
}

/** Options of {@link honoSessionStorage}. */
export interface HonoSessionOptions extends Omit<SessionsOptions, "onConflict"> {
  /** Gets each save and each deletion, which the framework does not wait for. */
  waitUntil?: ((work: Promise<void>) => void) | undefined;
  /** Gets the error of a save or a deletion. Default: `console.error`. */
  onError?: ((error: unknown) => void) | undefined;
}

/**
 * A storage for @hono/session. The framework does not wait for saves and deletions: a `get` waits
 * for those of its session, errors go to `onError`, and `waitUntil` keeps an edge worker alive.
 *
 * The framework names no deadline: sessions end after `expires`, one day by default.
 *
 * @throws {KvError} KV_INVALID_CLIENT for anything but a store; KV_INVALID_VALUE for unknown
 * options.
 * @example
 * import kv from "anykv";
 * import { honoSessionStorage } from "anykv/with/hono-session";
 * import { useSession, useSessionStorage } from "@hono/session";
 * import { Hono } from "hono";
 *
 * const storage = honoSessionStorage(kv(new Map()).prefix("session:"), { expires: "7d" });
 * const app = new Hono();
 * app.use(useSessionStorage(storage), useSession({ secret: "a secret of 32 characters or more" }));
 * console.log(typeof storage.get); // function
 */
export function honoSessionStorage(
  store: Store,
  { waitUntil, onError = console.error, ...options }: HonoSessionOptions = {},
): HonoSessionStorage {
  // The framework gives no sign of which read a save belongs to.
  checkOptions(options, ["expires", "tombstone"], "honoSessionStorage()");
  const sessions = createSessions(store, options);
  const pending = new Map<string, Promise<void>>();

  /** Runs work behind the earlier work on a session. */
  const later = (id: string, work: () => Promise<unknown>): void => {
    const done = (pending.get(id) ?? Promise.resolve())
      .then(work)
      .then(() => undefined, onError)
      .finally(() => pending.get(id) === done && pending.delete(id));
    pending.set(id, done);
    waitUntil?.(done);
  };
  return {
    async get(id) {
      await pending.get(id);
      return (await sessions.read(id)) as never;
    },
    set: (id, data) => later(id, () => sessions.write(id, data)),
    delete: (id) => later(id, () => sessions.destroy(id)),
  };
}
