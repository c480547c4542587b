import type { Store } from "../api.ts";
import type { Source } from "../clients/define.ts";
import { Connection } from "../store/connection.ts";
import { retryLocked, type SqliteClient } from "../clients/sqlite/handle.ts";
import { builtin } from "../platform/node.ts";
import { KvError } from "../errors.ts";
import { MEMORY, SQLITE } from "../clients/manifests.ts";
import { checkOptions } from "../platform/options.ts";
import { contextOver, createStore } from "../store/store.ts";
import type { Json, Supports } from "../types.ts";
import { namespace } from "./namespace.ts";
import { rulesOf } from "./refusal.ts";
import type { KVNamespaces, KVOptions } from "./types.ts";

/** Makes a handle of the database in a file. */
type Open = (path: string) => SqliteClient;

/** How this runtime opens a SQLite database; `null` where it cannot. Loads nothing yet. */
function sqliteHere(): Open | null {
  const { createRequire, isBuiltin } = builtin("node:module");
  if (createRequire === undefined) return null;
  // A bundle of CommonJS has no URL, and a module that Deno imports from a server has no file URL.
  const { url } = import.meta as { readonly url?: string };
  const require = createRequire(
    url?.startsWith("file:") ? url : builtin("node:path").resolve("anykv.js"),
  );
  const open =
    (module: string, name?: string): Open =>
    (path) => {
      const loaded = require(module) as { [name: string]: new (path: string) => SqliteClient };
      const Database = (name === undefined ? loaded : loaded[name]) as new (
        path: string,
      ) => SqliteClient;
      return new Database(path);
    };
  if (globalThis.process.versions["bun"] !== undefined) return open("bun:sqlite", "Database");
  if (isBuiltin("node:sqlite")) return open("node:sqlite", "DatabaseSync");
  try {
    require.resolve("better-sqlite3");
    return open("better-sqlite3");
  } catch {
    // It is not installed.
    return null;
  }
}

/** Everything in one SQLite database, made by the first operation. */
function inFolder(dataDir: string, open: Open): Source {
  return {
    type: SQLITE.type,
    supports: SQLITE.supports as Supports,
    async open() {
      const { resolve, join } = builtin("node:path");
      const folder = resolve(dataDir);
      builtin("node:fs").mkdirSync(folder, { recursive: true });
      const db = open(join(folder, "kv.db"));
      try {
        // Readers and a writer in several processes do not wait for each other.
        await retryLocked(() => db.exec("PRAGMA journal_mode = WAL"));
        const { sqlite } = await import("../clients/sqlite/index.ts");
        return await sqlite(db).open();
      } catch (error) {
        db.close();
        throw error;
      }
    },
    // Nothing was opened: there is nothing to end.
    close: async () => true,
  };
}

const inMemory = (): Source => ({
  type: MEMORY.type,
  supports: MEMORY.supports as Supports,
  open: async () => (await import("../clients/memory.ts")).memory(undefined).open(),
});

function storeIn(dataDir: string | undefined): Store {
  const open = sqliteHere();
  if (open === null && dataDir !== undefined) {
    throw new KvError(
      "KV_NOT_SUPPORTED",
      "this runtime has no SQLite for a dataDir: install better-sqlite3 (in Node), pass a " +
        "store, or leave dataDir out for memory",
    );
  }
  const source = open === null ? inMemory() : inFolder(dataDir ?? ".anykv/data", open);
  return createStore<Json>(contextOver(new Connection(source)), {});
}

/**
 * Namespaces by their names, all in one place: over a store, in the SQLite database `kv.db` of a
 * folder, or, without either, in `.anykv/data/kv.db` under the working directory where the runtime
 * has SQLite (Node, Bun, Deno; or better-sqlite3, if it is installed) and in memory where it has
 * none (browsers, workers). `storage` says which.
 *
 * Nothing is opened or created before the first operation. Several processes may use one folder at
 * once.
 *
 * @throws {KvError} at once KV_INVALID_CLIENT for a `store`, a `dataDir` or options that are none;
 * KV_NOT_SUPPORTED at the first use of a `dataDir` where there is no SQLite.
 * @example
 * import kv from "anykv";
 * import { createKV } from "anykv/namespace";
 *
 * const KV = createKV({ store: kv(new Map()) });
 * const sessions = KV.namespace("sessions");
 * await sessions.put("session:abc", { user: "ann" }, { expirationTtl: 86400 });
 * console.log(await sessions.get("session:abc", "json")); // { user: "ann" }
 * console.log(await KV.namespace("posts").get("session:abc"), KV.storage); // null MEMORY
 */
export function createKV(given: KVOptions = {}): KVNamespaces {
  // A store, a client or a folder in their place would be ignored, and the data kept elsewhere.
  checkOptions(given, ["store", "dataDir", "compat"], "createKV()", "KV_INVALID_CLIENT");
  const { store, dataDir, ...options } = given;
  if (dataDir !== undefined && typeof dataDir !== "string")
    throw new KvError("KV_INVALID_CLIENT", "dataDir is the path of a folder");
  // An argument that is no store is rejected here, not by the first use.
  if (store !== undefined) namespace(store, "", options);
  rulesOf(options.compat);
  let made = store;
  const own = (): Store => (made ??= storeIn(dataDir));
  // A store that was never used is closed too: later operations reject.
  const close = (): Promise<void> => own().close();
  return {
    namespace: (name: string) => namespace(own(), name, options),
    get storage() {
      return own().type;
    },
    close,
    [Symbol.asyncDispose]: close,
  } as KVNamespaces;
}

/**
 * The namespaces that need no set-up, as {@link createKV} makes them without options. Importing it
 * opens and creates nothing.
 *
 * @example
 * import { KV } from "anykv/namespace";
 *
 * const users = KV.namespace("users");
 * await users.put("user:123", "Alice");
 * console.log(await users.get("user:123")); // "Alice"
 * console.log(KV.storage); // "SQLITE"
 */
export const KV: KVNamespaces = createKV();
