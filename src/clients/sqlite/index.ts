import { SQLITE } from "../manifests.ts";
import type { StoredRecord } from "../../record/record.ts";
import { failedChecks } from "../../record/freshness.ts";
import {
  atomically,
  retryLocked,
  type SqliteClient,
  type SqliteStatement,
  WriteQueue,
} from "./handle.ts";
import {
  isOwnVersion,
  keyColumn,
  createTable,
  waitForDisk,
  OWN_ROWS,
  prepare,
  quoted,
  tableRecord,
  type SqliteRow,
  rangeClause,
} from "./table.ts";
import { dataVersionFeed } from "./feed.ts";
import { committed } from "../shared/all-or-nothing.ts";
import type { CommitResult } from "../../types.ts";
import { type ClientFactory, defineClient } from "../define.ts";
import {
  type Adapter,
  type Page,
  PAGE_LENGTH,
  type PageQuery,
  type PruneQuery,
} from "../adapter.ts";
import type { Check, KvRecord, Write } from "../../record/types.ts";
import { versionOf } from "../../record/version.ts";

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
 * @throws {KvError} KV_INVALID_CLIENT for a table of somebody else or an impossible name,
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

/** Its owner may have closed the handle. */
function end(db: SqliteClient): void {
  if (db.isOpen !== false) db.close();
}

function adapterOf(db: SqliteClient, table: string, writing: WriteQueue): Adapter {
  const selectOne = prepare(
    db,
    `SELECT version, expires, metadata, value FROM ${table} WHERE key = ?`,
  );
  const selectHead = prepare(db, `SELECT version, expires FROM ${table} WHERE key = ?`);
  const upsert = prepare(
    db,
    `INSERT INTO ${table} (key, version, expires, metadata, value) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (key) DO UPDATE SET version = excluded.version, expires = excluded.expires,
       metadata = excluded.metadata, value = excluded.value`,
  );
  const keyAs = keyColumn(db);
  const remove = prepare(db, `DELETE FROM ${table} WHERE key = ?`);
  // The others differ by their range; each text is prepared once.
  const statements = new Map<string, SqliteStatement>();
  const statement = (sql: string): SqliteStatement => {
    const found = statements.get(sql) ?? prepare(db, sql);
    statements.set(sql, found);
    return found;
  };

  const read = (key: string): StoredRecord | null => {
    const row = selectOne.get(key) as SqliteRow | null | undefined;
    return row ? tableRecord(key, row) : null;
  };
  const isThere = (key: string, now: number): boolean => {
    const row = selectHead.get(key) as SqliteRow | null | undefined;
    return row ? isOwnVersion(row.version) && (row.expires === null || row.expires > now) : false;
  };
  const write = (key: string, record: KvRecord | null): void => {
    if (record === null) return void remove.run(key);
    const metadata = record.metadata === null ? null : JSON.stringify(record.metadata);
    upsert.run(
      key,
      versionOf(record),
      record.expires,
      metadata,
      (record.value as unknown) instanceof Uint8Array
        ? (record.value as unknown as Uint8Array)
        : JSON.stringify(record.value),
    );
  };
  const writeAll = (all: readonly Write[]): void => {
    for (const { key, record } of all) write(key, record);
  };
  function page({ prefix, after, limit, reverse, values }: PageQuery): Page {
    const [range, parameters] = rangeClause(prefix, after, reverse);
    const columns = `${keyAs.sql}, version, expires${values ? ", metadata, value" : ""}`;
    const rows = statement(
      `SELECT ${columns} FROM ${table} WHERE ${range} ORDER BY ${table}.key ` +
        `${reverse ? "DESC" : "ASC"} LIMIT ?`,
    ).iterate(...parameters, limit);
    const entries: (readonly [string, KvRecord])[] = [];
    let seen = 0;
    let length = 0;
    for (const row of rows as Iterable<SqliteRow>) {
      const key = keyAs.of(row.key);
      if (isOwnVersion(row.version) && key !== null) entries.push([key, tableRecord(key, row)]);
      length += (row.value as { length?: number } | undefined)?.length ?? 0;
      // A key of others that is no text is good enough to start the next page behind it.
      if (++seen === limit || length > PAGE_LENGTH)
        return { entries, next: key ?? (row.key as string) };
    }
    return { entries, next: null };
  }
  function prune({ prefix, now, limit }: PruneQuery): number {
    const [range, parameters] = rangeClause(prefix, null, false);
    // The plus keeps SQLite from walking the keys instead of the deadlines.
    const expired = `expires <= ? AND ${range.replaceAll("key", "+key")} AND ${OWN_ROWS}`;
    const some =
      limit === Infinity
        ? expired
        : `rowid IN (SELECT rowid FROM ${table} WHERE ${expired} LIMIT ${limit})`;
    return Number(statement(`DELETE FROM ${table} WHERE ${some}`).run(now, ...parameters).changes);
  }
  function clear(prefix: string): void {
    const [range, parameters] = rangeClause(prefix, prefix, false);
    statement(`DELETE FROM ${table} WHERE ${range} AND ${OWN_ROWS}`).run(...parameters);
  }
  function commit(checks: readonly Check[], all: readonly Write[], now: number): CommitResult {
    const failed = failedChecks(checks, read, now);
    if (failed.length > 0) return { ok: false, failed };
    writeAll(all);
    return committed(all);
  }

  return {
    // Writes that wait for another process queue up; reads do not wait for them.
    inOrder: "writes",
    get: (key) => retryLocked(() => read(key)),
    has: (key, now) => retryLocked(() => isThere(key, now)),
    // One lock for all of them makes a loop as fast as one statement.
    getMany: (keys) => retryLocked(() => atomically(db, () => keys.map(read), "BEGIN")),
    page: (query) => retryLocked(() => page(query)),
    set: (key, record) => writing.run(() => write(key, record)),
    del: (key) => writing.run(() => write(key, null)),
    setMany: (all) => writing.run(() => atomically(db, () => writeAll(all))),
    clear: (prefix) => writing.run(() => clear(prefix)),
    prune: (query) => writing.run(() => prune(query)),
    commit: (checks, all, now) => writing.run(() => atomically(db, () => commit(checks, all, now))),
    watch: (feed) => dataVersionFeed(db, feed),
    async close() {
      await writing.idle();
      end(db);
    },
  };
}
