import { SQLITE } from "../manifests.ts";
import { type ClientFactory, defineClient } from "../define.ts";
import type { Adapter } from "../adapter.ts";
import type { StoredRecord } from "../../record/record.ts";
import { dataVersionFeed } from "./feed.ts";
import { atomically, retryLocked, type SqliteClient, WriteQueue } from "./handle.ts";
import { TableRows } from "./rows.ts";
import { createTable, quoted, waitForDisk } from "./table.ts";

export type { SqliteClient, SqliteStatement } from "./handle.ts";

/** Options of {@link sqlite}. */
export interface SqliteOptions {
  /** The table that holds the records; any name. Default `"kv"`. */
  table?: string;
}

/**
 * Keeps records in a table of a SQLite database: one of its own, made by the first operation. A
 * missing key is `null`; expired records are removed through an index. Rows that this library did
 * not write are left alone. Keys, deadlines (epoch milliseconds) and values (JSON) are readable
 * columns.
 *
 * `commit` is a transaction, safe across processes; in a transaction that is open on the handle, it
 * and everything else becomes a part of that one. With `PRAGMA journal_mode = WAL` readers do not
 * wait for writers. `PRAGMA synchronous` is raised from SQLite's default `FULL` to `EXTRA`, so that
 * a power failure takes no acknowledged write; another setting of the handle stays. Other processes
 * that hold a lock are waited for up to 4.5 seconds without blocking this one, after the handle's
 * own `busy_timeout`.
 *
 * @throws {KvError} KV_INVALID_CLIENT for a foreign table or an impossible name,
 * KV_CORRUPT for a file that is no database, KV_QUOTA when it is full.
 * @example
 * import { DatabaseSync } from "node:sqlite";
 * import kv from "anykv";
 * import { sqlite } from "anykv/clients/sqlite";
 *
 * const store = kv(sqlite(new DatabaseSync(":memory:"), { table: "sessions" }));
 * await store.set("key1", { hello: "world" }, { expires: "1h" });
 * console.log(await store.get("key1")); // { hello: "world" }
 */
export const sqlite: ClientFactory<SqliteClient, SqliteOptions> = defineClient({
  ...SQLITE,
  options: ["table"],
  open(db: SqliteClient, { table = "kv" }: SqliteOptions) {
    const writing = new WriteQueue();
    return writing.run(() => {
      waitForDisk(db);
      createTable(db, table);
      return adapterOf(db, quoted(table), writing);
    });
  },
  close: end,
});

/** Closes the handle, unless its owner has closed it. */
function end(db: SqliteClient): void {
  if (db.isOpen !== false) db.close();
}

function adapterOf(db: SqliteClient, table: string, writing: WriteQueue): Adapter {
  const rows = new TableRows(db, table);
  const read = (key: string): StoredRecord | null => rows.read(key);
  return {
    // Writes that wait for another process queue up; reads do not wait for them.
    inOrder: "writes",
    get: (key) => retryLocked(() => rows.read(key)),
    has: (key, now) => retryLocked(() => rows.has(key, now)),
    // One lock for all of them makes a loop as fast as one statement.
    getMany: (keys) => retryLocked(() => atomically(db, () => keys.map(read), "BEGIN")),
    page: (query) => retryLocked(() => rows.page(query)),
    freshKeys: (prefix, now) => retryLocked(() => rows.freshKeys(prefix, now)),
    set: (key, record) => writing.run(() => rows.write(key, record)),
    del: (key) => writing.run(() => rows.write(key, null)),
    setMany: (all) => writing.run(() => atomically(db, () => rows.writeAll(all))),
    clear: (prefix) => writing.run(() => rows.clear(prefix)),
    prune: (query) => writing.run(() => rows.prune(query)),
    commit: (checks, all, now) =>
      writing.run(() => atomically(db, () => rows.commit(checks, all, now))),
    watch: (feed) => dataVersionFeed(db, feed),
    async close() {
      await writing.idle();
      end(db);
    },
  };
}
