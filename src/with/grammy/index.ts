import type { Store } from "../../api.ts";
import { checkOptions } from "../../platform/options.ts";
import { createSessions, type SessionsOptions } from "../../session/sessions.ts";

/** A storage of grammY. */
export interface GrammyStorage<T> {
  read(key: string): Promise<T | undefined>;
  write(key: string, value: T): Promise<void>;
  delete(key: string): Promise<void>;
  has(key: string): Promise<boolean>;
  readAllKeys(): AsyncIterable<string>;
  readAllValues(): AsyncIterable<T>;
  readAllEntries(): AsyncIterable<[key: string, value: T]>;
}

/**
 * A storage for the sessions of grammY, also for its conversations. Sessions never end unless
 * `expires` says so. With `{ onConflict: "merge" }` two updates of one chat at once lose nothing.
 *
 * @throws {KvError} KV_INVALID_CLIENT for anything but a store; KV_INVALID_VALUE for unknown
 * options.
 * @example
 * import kv from "anykv";
 * import { grammyStorage } from "anykv/with/grammy";
 * import { Bot, session } from "grammy";
 *
 * const storage = grammyStorage(kv(new Map()).prefix("chat:"));
 * const bot = new Bot("123:token");
 * bot.use(session({ initial: () => ({ count: 0 }), storage }));
 * await storage.write("1", { count: 1 });
 * console.log(await storage.read("1")); // { count: 1 }
 */
export function grammyStorage<T>(
  store: Store,
  options: Omit<SessionsOptions, "tombstone"> = {},
): GrammyStorage<T> {
  checkOptions(options, ["expires", "onConflict"], "grammyStorage()");
  // A chat keeps its key: a session may begin again after it was deleted.
  const sessions = createSessions(store, { expires: null, ...options, tombstone: 0 });
  const entries = (): AsyncIterable<[string, T]> => store as AsyncIterable<[string, T]>;
  return {
    read: async (key) => (await sessions.read<T>(key)) ?? undefined,
    write: async (key, value) => void (await sessions.write(key, value)),
    delete: (key) => sessions.destroy(key),
    has: (key) => store.has(key),
    async *readAllKeys() {
      for await (const [key] of entries()) yield key;
    },
    async *readAllValues() {
      for await (const [, value] of entries()) yield value;
    },
    readAllEntries: entries,
  };
}
