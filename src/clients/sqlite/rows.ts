import type { CommitResult } from "../../types.ts";
import type { Check, KvRecord, Write } from "../../record/types.ts";
import type { StoredRecord } from "../../record/record.ts";
import { failedChecks } from "../../record/freshness.ts";
import { versionOf } from "../../record/version.ts";
import { type Page, PAGE_LENGTH, type PageQuery, type PruneQuery } from "../adapter.ts";
import { committed } from "../shared/all-or-nothing.ts";
import type { SqliteClient, SqliteStatement } from "./handle.ts";
import {
  isOwnVersion,
  keyColumn,
  OWN_ROWS,
  prepare,
  rangeClause,
  type SqliteRow,
  tableRecord,
} from "./table.ts";

/** The records in a table. All methods are statements on the handle, without locks. */
export class TableRows {
  readonly #db: SqliteClient;
  readonly #table: string;
  readonly #keyAs: ReturnType<typeof keyColumn>;
  readonly #selectOne: SqliteStatement;
  readonly #selectHead: SqliteStatement;
  readonly #upsert: SqliteStatement;
  readonly #remove: SqliteStatement;
  /** Statements that differ by their range: each text is prepared once. */
  readonly #statements = new Map<string, SqliteStatement>();

  /** `table` is the quoted name. */
  constructor(db: SqliteClient, table: string) {
    this.#db = db;
    this.#table = table;
    this.#selectOne = prepare(
      db,
      `SELECT version, expires, metadata, value FROM ${table} WHERE key = ?`,
    );
    this.#selectHead = prepare(db, `SELECT version, expires FROM ${table} WHERE key = ?`);
    this.#upsert = prepare(
      db,
      `INSERT INTO ${table} (key, version, expires, metadata, value) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (key) DO UPDATE SET version = excluded.version, expires = excluded.expires,
       metadata = excluded.metadata, value = excluded.value`,
    );
    this.#keyAs = keyColumn(db);
    this.#remove = prepare(db, `DELETE FROM ${table} WHERE key = ?`);
  }

  #statement(sql: string): SqliteStatement {
    const found = this.#statements.get(sql) ?? prepare(this.#db, sql);
    this.#statements.set(sql, found);
    return found;
  }

  read(key: string): StoredRecord | null {
    const row = this.#selectOne.get(key) as SqliteRow | null | undefined;
    return row ? tableRecord(key, row) : null;
  }

  has(key: string, now: number): boolean {
    const row = this.#selectHead.get(key) as SqliteRow | null | undefined;
    return row ? isOwnVersion(row.version) && (row.expires === null || row.expires > now) : false;
  }

  write(key: string, record: KvRecord | null): void {
    if (record === null) return void this.#remove.run(key);
    const metadata = record.metadata === null ? null : JSON.stringify(record.metadata);
    const value =
      (record.value as unknown) instanceof Uint8Array
        ? (record.value as unknown as Uint8Array)
        : JSON.stringify(record.value);
    this.#upsert.run(key, versionOf(record), record.expires, metadata, value);
  }

  writeAll(all: readonly Write[]): void {
    for (const { key, record } of all) this.write(key, record);
  }

  page({ prefix, after, limit, reverse, values }: PageQuery): Page {
    const [range, parameters] = rangeClause(prefix, after, reverse);
    const columns = `${this.#keyAs.sql}, version, expires${values ? ", metadata, value" : ""}`;
    const rows = this.#statement(
      `SELECT ${columns} FROM ${this.#table} WHERE ${range} ORDER BY ${this.#table}.key ` +
        `${reverse ? "DESC" : "ASC"} LIMIT ?`,
    ).iterate(...parameters, limit);
    const entries: (readonly [string, KvRecord])[] = [];
    let seen = 0;
    let length = 0;
    for (const row of rows as Iterable<SqliteRow>) {
      const key = this.#keyAs.of(row.key);
      if (isOwnVersion(row.version) && key !== null) entries.push([key, tableRecord(key, row)]);
      length += (row.value as { length?: number } | undefined)?.length ?? 0;
      // The next page can also start behind a foreign key that is no text.
      if (++seen === limit || length > PAGE_LENGTH)
        return { entries, next: key ?? (row.key as string) };
    }
    return { entries, next: null };
  }

  /** See `Adapter.freshKeys`. SQLite checks the rows, which is faster than doing it here. */
  freshKeys(prefix: string, now: number): { keys: string[]; hasExpired: boolean } {
    const [range, parameters] = rangeClause(prefix, null, false);
    const expired = this.#statement(
      `SELECT 1 AS found FROM ${this.#table} WHERE expires <= ? AND ` +
        `${range.replaceAll("key", "+key")} AND ${OWN_ROWS} LIMIT 1`,
    ).get(now, ...parameters);
    const fresh = `(expires IS NULL OR expires > ?) AND ${range} AND ${OWN_ROWS}`;
    const rows = this.#statement(
      `SELECT ${this.#keyAs.sql} FROM ${this.#table} WHERE ${fresh} ORDER BY ${this.#table}.key`,
    ).all(now, ...parameters) as SqliteRow[];
    const keys = rows.map((row) => this.#keyAs.of(row.key)).filter((key) => key !== null);
    return { keys, hasExpired: Boolean(expired) };
  }

  prune({ prefix, now, limit }: PruneQuery): number {
    const [range, parameters] = rangeClause(prefix, null, false);
    // The plus keeps SQLite from walking the keys instead of the deadlines.
    const expired = `expires <= ? AND ${range.replaceAll("key", "+key")} AND ${OWN_ROWS}`;
    const some =
      limit === Infinity
        ? expired
        : `rowid IN (SELECT rowid FROM ${this.#table} WHERE ${expired} LIMIT ${limit})`;
    const statement = this.#statement(`DELETE FROM ${this.#table} WHERE ${some}`);
    return Number(statement.run(now, ...parameters).changes);
  }

  clear(prefix: string): void {
    const [range, parameters] = rangeClause(prefix, prefix, false);
    this.#statement(`DELETE FROM ${this.#table} WHERE ${range} AND ${OWN_ROWS}`).run(...parameters);
  }

  commit(checks: readonly Check[], all: readonly Write[], now: number): CommitResult {
    const failed = failedChecks(checks, (key) => this.read(key), now);
    if (failed.length > 0) return { ok: false, failed };
    this.writeAll(all);
    return committed(all);
  }
}
