import type { Store } from "../../api.ts";
import { checkOptions } from "../../platform/options.ts";
import { createSessions, type SessionsOptions } from "../../session/sessions.ts";

/** A session store of Telegraf. */
export interface TelegrafSessionStore<T> {
  get(name: string): Promise<T | undefined>;
  set(name: string, value: T): Promise<void>;
  delete(name: string): Promise<void>;
}

/**
 * A store for the sessions of Telegraf. Sessions never end unless `expires` says so. With
 * `{ onConflict: "merge" }` two processes that handle one chat at once lose nothing.
 *
 * @throws {KvError} KV_INVALID_CLIENT for anything but a store; KV_INVALID_VALUE for unknown
 * options.
 * @example
 * import kv from "anykv";
 * import { telegrafSessionStore } from "anykv/with/telegraf";
 * import { session, Telegraf } from "telegraf";
 *
 * const store = telegrafSessionStore(kv(new Map()).prefix("chat:"));
 * const bot = new Telegraf("123:token");
 * bot.use(session({ store, defaultSession: () => ({ count: 0 }) }));
 * await store.set("1:1", { count: 1 });
 * console.log(await store.get("1:1")); // { count: 1 }
 */
export function telegrafSessionStore<T>(
  store: Store,
  options: Omit<SessionsOptions, "tombstone"> = {},
): TelegrafSessionStore<T> {
  checkOptions(options, ["expires", "onConflict"], "telegrafSessionStore()");
  // A chat keeps its key: a session may begin again after it was deleted.
  const sessions = createSessions(store, { expires: null, ...options, tombstone: 0 });
  return {
    get: async (name) => (await sessions.read<T>(name)) ?? undefined,
    set: async (name, value) => void (await sessions.write(name, value)),
    delete: (name) => sessions.destroy(name),
  };
}
