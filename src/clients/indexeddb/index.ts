import { KvError } from "../../errors.ts";
import { idbConnection, INDEX } from "../../platform/indexeddb.ts";
import { recordsPage, prune, put, read } from "./records.ts";
import { INDEXEDDB } from "../manifests.ts";
import { holds } from "../../record/freshness.ts";
import { committed } from "../shared/all-or-nothing.ts";
import { withTabs } from "../shared/tab-channel.ts";
import type { CommitResult } from "../../types.ts";
import { type ClientFactory, defineClient } from "../define.ts";
import type { Check, Write } from "../../record/types.ts";
import type { Adapter, PruneQuery } from "../adapter.ts";

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

/** The names of database and object store in a URL. */
function namesIn(url: string | { readonly href: string }): [database: string, store: string] {
  try {
    const [, database, store] = /^indexeddb:\/\/([^/?#]+)\/?([^/?#]*)$/.exec(`${url}`)!;
    return [decodeURIComponent(database!), decodeURIComponent(store || "kv")];
  } catch (cause) {
    throw new KvError(
      "KV_INVALID_CLIENT",
      `${url} is no "indexeddb://database/store" (with both names percent-encoded)`,
      { cause },
    );
  }
}

/**
 * Keeps records in an object store of an IndexedDB database: `kv(indexedDB)`,
 * `kv("indexeddb://database/store")` (both names percent-encoded; the store may be left out), or
 * `kv(indexeddb(indexedDB, { database, store }))`. Defaults: `"anykv"`, `"kv"`. In Node it needs a
 * polyfill.
 *
 * A missing key is `null`. Each commit is one transaction, across all tabs. Expired records are
 * removed through an index. Items that this library did not write are left alone. A lost connection
 * is opened again; other tabs may upgrade or delete the database at any time. Writes use relaxed
 * durability, the default of browsers: they survive the end of the browser, while a power cut may
 * cost the last ones.
 *
 * An object store that is missing in an existing database is added, which raises the version of
 * that database by one.
 *
 * @throws {KvError} KV_QUOTA when the storage is full, KV_TOO_LARGE for a value that the browser
 * cannot move (about 130 MB): the old value is still there. KV_INVALID_CLIENT without IndexedDB,
 * for a malformed URL, or an object store whose keys are part of its items.
 * @example
 * ```js browser
 * import kv from "anykv";
 *
 * const store = kv(indexedDB);
 * await store.set("key1", "Hello world", { expires: "1h" });
 * console.log(await store.get("key1")); // "Hello world"
 * ```
 */
export const indexeddb: ClientFactory<
  IndexedDbLike | string | { readonly href: string },
  IndexedDbOptions
> = defineClient({
  ...INDEXEDDB,
  options: ["database", "store"],
  async open(
    client: IndexedDbLike | string | { readonly href: string },
    { database = "anykv", store = "kv" }: IndexedDbOptions,
  ): Promise<Adapter> {
    const isUrl = typeof client === "string" || "href" in client;
    const factory = (isUrl ? globalThis.indexedDB : client) as IDBFactory | undefined;
    if (!factory || !globalThis.IDBKeyRange)
      throw new KvError(
        "KV_INVALID_CLIENT",
        'there is no `indexedDB` or no `IDBKeyRange` here (in Node: import "fake-indexeddb/auto")',
      );
    if (isUrl) [database, store] = namesIn(client);
    const { run, close } = idbConnection(factory, database, store);
    const isIndexed = await run(async ({ name, keyPath, indexNames }) => {
      if (keyPath === null) return indexNames.contains(INDEX);
      throw new KvError(
        "KV_INVALID_CLIENT",
        `the object store ${JSON.stringify(name)} keeps its keys inside its items: ` +
          "name another one",
      );
    }).catch(async (error) => {
      await close();
      throw error;
    });

    const commit = (
      checks: readonly Check[],
      writes: readonly Write[],
      now: number,
    ): Promise<CommitResult> =>
      run(async (store) => {
        const failed: string[] = [];
        for (const check of checks)
          if (!holds(check, await read(store, check.key, false), now)) failed.push(check.key);
        if (failed.length > 0) return { ok: false, failed };
        put(store, writes);
        return committed(writes);
      }, "readwrite");
    const write = async (writes: readonly Write[]): Promise<void> => {
      await commit([], writes, 0);
    };
    const adapter: Adapter = {
      get: (key) => run((store) => read(store, key)),
      getMany: (keys) => run((store) => Promise.all(keys.map((key) => read(store, key)))),
      set: (key, record) => write([{ key, record }]),
      del: (key) => write([{ key, record: null }]),
      setMany: write,
      page: (query) => run((store) => recordsPage(store, query)),
      commit,
      close,
      // Object stores of others have no index.
      ...(isIndexed && {
        prune: (query: PruneQuery) => run((store) => prune(store, query), "readwrite"),
      }),
    };
    return withTabs(adapter, "indexeddb", database, store);
  },
});
