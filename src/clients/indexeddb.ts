import { KvError } from "../errors.ts";
import { idbConnection, INDEX } from "../browser/idb-connection.ts";
import { page, prepared, prune, put, read } from "../browser/idb-records.ts";
import { INDEXEDDB } from "../manifest.ts";
import { failedChecks } from "../record.ts";
import { asQuota, committed } from "../text.ts";
import type { Adapter, Write } from "../types.ts";
import { type ClientFactory, defineClient } from "./define.ts";

/** `indexedDB`, or anything of its shape. */
export interface IndexedDbLike {
  open(name: string, version?: number): object;
  deleteDatabase(name: string): object;
  cmp(first: unknown, second: unknown): number;
}

/** Where the records are kept. */
export interface IndexedDbOptions {
  /** Default `"anykv"`. */
  database?: string;
  /** The object store. Default `"kv"`. */
  store?: string;
}

/** @throws {KvError} what a failed write means to users. */
function refuse(error: unknown, writes: readonly Write[]): never {
  const key = writes.length === 1 ? writes[0]!.key : undefined;
  if (!/too large/.test((error as Error).message)) throw asQuota(error, key);
  throw new KvError("KV_TOO_LARGE", "the value is too large for the browser to move: nothing was written", { key, cause: error });
}

/** @throws {KvError} KV_INVALID_CLIENT for an object store whose keys are part of its items. */
async function inspect(store: IDBObjectStore): Promise<boolean> {
  if (store.keyPath === null) return store.indexNames.contains(INDEX);
  throw new KvError("KV_INVALID_CLIENT", `the object store ${JSON.stringify(store.name)} keeps its keys inside its items: name another one`);
}

/** The factory and the names of database and object store. */
function target(client: IndexedDbLike | string | URL, options: IndexedDbOptions): [factory: IDBFactory, database: string, store: string] {
  const isUrl = typeof client === "string" || "href" in client;
  const factory = (isUrl ? globalThis.indexedDB : client) as IDBFactory | undefined;
  if (factory === undefined || globalThis.IDBKeyRange === undefined) {
    throw new KvError("KV_INVALID_CLIENT", 'there is no IndexedDB here: it needs `indexedDB` and `IDBKeyRange` (in Node: import "fake-indexeddb/auto")');
  }
  const { database = "anykv", store = "kv" } = options;
  if (!isUrl) return [factory, database, store];
  try {
    const [, host, path] = /^indexeddb:\/\/([^/?#]+)(?:\/([^/?#]*))?$/.exec(String(client))!;
    return [factory, decodeURIComponent(host!), decodeURIComponent(path || "kv")];
  } catch (cause) {
    throw new KvError("KV_INVALID_CLIENT", `${JSON.stringify(String(client))} is no "indexeddb://database/store" (with both names percent-encoded)`, { cause });
  }
}

/**
 * Keeps records in an object store of an IndexedDB database: `kv(indexedDB)`, `kv("indexeddb://database/store")` (both names percent-encoded; the store
 * may be left out), or `kv(indexeddb(indexedDB, { database, store }))`. Defaults: `"anykv"`, `"kv"`. In Node it needs a polyfill.
 *
 * A missing key is `null`. Each commit is one transaction, across all tabs. Expired records are removed through an index. Items that this library did not
 * write are left alone. A lost connection is opened again; other tabs may upgrade or delete the database at any time. Writes use relaxed durability, the default
 * of browsers: they survive the end of the browser, while a power cut may cost the last ones.
 *
 * An object store that is missing in an existing database is added, which raises the version of that database by one.
 *
 * @throws {KvError} KV_QUOTA when the storage is full, KV_TOO_LARGE for a value that the browser cannot move (about 130 MB): the old value is still
 * there. KV_INVALID_CLIENT without IndexedDB, for a malformed URL, or an object store whose keys are part of its items.
 * @example
 * ```js browser
 * import kv from "anykv";
 *
 * const store = kv(indexedDB);
 * await store.set("key1", "Hello world", { expires: "1h" });
 * console.log(await store.get("key1")); // "Hello world"
 * ```
 */
export const indexeddb: ClientFactory<IndexedDbLike | string | URL, IndexedDbOptions> = defineClient({
  ...INDEXEDDB,
  async open(client: IndexedDbLike | string | URL, options: IndexedDbOptions): Promise<Adapter> {
    const connection = idbConnection(...target(client, options));
    const isIndexed = await connection.run("readonly", inspect).catch(async (error: unknown) => {
      await connection.close();
      throw error;
    });

    const write = async (writes: readonly Write[]): Promise<void> => {
      const changes = writes.map(prepared);
      await connection.run("readwrite", async (store) => put(store, changes)).catch((error) => refuse(error, writes));
    };
    const adapter: Adapter = {
      get: (key) => connection.run("readonly", (store) => read(store, key)),
      getMany: (keys) => connection.run("readonly", (store) => Promise.all(keys.map((key) => read(store, key)))),
      set: (key, record) => write([{ key, record }]),
      del: (key) => write([{ key, record: null }]),
      setMany: write,
      page: (query) => connection.run("readonly", (store) => page(store, query)),
      async commit(checks, writes, now) {
        const changes = writes.map(prepared);
        const failed = await connection
          .run("readwrite", async (store) => {
            const found = new Map(await Promise.all(checks.map(async ({ key }) => [key, await read(store, key, false)] as const)));
            const keys = failedChecks(checks, (key) => found.get(key)!, now);
            if (keys.length === 0) put(store, changes);
            return keys;
          })
          .catch((error) => refuse(error, writes));
        return failed.length > 0 ? { ok: false, failed } : committed(writes);
      },
      close: connection.close,
    };
    if (isIndexed) adapter.prune = (query) => connection.run("readwrite", (store) => prune(store, query));
    return adapter;
  },
});
