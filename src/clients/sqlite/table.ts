import { KvError } from "../../errors.ts";
import { StoredRecord } from "../../record/record.ts";
import { atomically, isInTransaction, type SqliteClient, type SqliteStatement } from "./handle.ts";
import type { Json } from "../../types.ts";
import { prefixEnd } from "../../prefix.ts";
import { foreign } from "../../record/text-format.ts";
import { observe } from "../../record/version.ts";

/** One row, without the columns that a statement does not ask for. */
export interface SqliteRow {
  readonly key?: unknown;
  readonly version: unknown;
  readonly expires: number | bigint | null;
  readonly metadata?: unknown;
  readonly value?: unknown;
}

const VERSION = /^[0-9a-f]{20}$/;

/** Whether this library wrote the row with this version. */
export function isOwnVersion(version: unknown): version is string {
  return typeof version === "string" && VERSION.test(version);
}

/** The same in SQL. */
const DIGITS = "[0-9a-f]".repeat(20);
export const OWN_ROWS: string = `typeof(version) = 'text' AND version GLOB '${DIGITS}'`;
const COLUMNS =
  "key TEXT 1 1, version TEXT 1 0, expires INTEGER 0 0, metadata TEXT 0 0, value TEXT 1 0";

/** @throws {KvError} KV_INVALID_CLIENT for a name that no table can have. */
export function quoted(name: unknown): string {
  if (
    typeof name === "string" &&
    name !== "" &&
    !name.includes("\0") &&
    name.isWellFormed() &&
    !/^sqlite_/i.test(name)
  )
    return `"${name.replaceAll('"', '""')}"`;
  throw new KvError(
    "KV_INVALID_CLIENT",
    `a table cannot be called ${JSON.stringify(name)}: pass another name in the option "table"`,
  );
}

/** A statement whose rows are objects. */
export function prepare(db: SqliteClient, sql: string): SqliteStatement {
  const statement = db.prepare(sql) as SqliteStatement & {
    setReturnArrays?(enabled: boolean): void;
  };
  // Node lets the handle's owner choose arrays for rows.
  statement.setReturnArrays?.(false);
  return statement;
}

const DEADLINES = "(expires) WHERE expires IS NOT NULL";

/** The table or index of a name. Tables and indexes share their names, in any case. */
const named = (
  db: SqliteClient,
  name: string,
): { type: string; tbl_name: string; sql: string | null } | undefined =>
  (prepare(db, "SELECT type, tbl_name, sql FROM sqlite_master WHERE name = ? COLLATE NOCASE").get(
    name,
  ) as never) ?? undefined;

/** Makes the index of a table's deadlines, under a name that nothing else has. */
function makeIndex(db: SqliteClient, table: string): void {
  let name = `${table}:expires`;
  for (let i = 2; named(db, name) !== undefined; i++) name = `${table}:expires:${i}`;
  db.exec(`CREATE INDEX ${quoted(name)} ON ${quoted(table)} ${DEADLINES}`);
}

/** Renames the index of another table of this library if it has the name that a new table needs. */
function freeName(db: SqliteClient, name: string): void {
  const found = named(db, name);
  if (found?.type !== "index" || !found.sql?.endsWith(`ON ${quoted(found.tbl_name)} ${DEADLINES}`))
    return;
  // The name is still in use while the new index is made.
  makeIndex(db, found.tbl_name);
  db.exec(`DROP INDEX ${quoted(name)}`);
}

/**
 * Makes the table unless it is there.
 *
 * @throws {KvError} KV_INVALID_CLIENT when the table is another's, or the database does not compare
 * texts by their UTF-8 bytes.
 */
export function createTable(db: SqliteClient, name: string): void {
  const table = quoted(name);
  const columns = (): string => {
    const rows = prepare(
      db,
      `SELECT name, type, "notnull" AS required, pk FROM pragma_table_info(?)`,
    ).all(name) as { name: string; type: string; required: number; pk: number }[];
    if (!Array.isArray(rows))
      throw new KvError(
        "KV_INVALID_CLIENT",
        "this SQLite handle is asynchronous: pass one of better-sqlite3, node:sqlite or bun:sqlite",
      );
    return rows
      .map((column) => `${column.name} ${column.type} ${column.required} ${column.pk}`)
      .join(", ");
  };
  if (columns() === "") {
    atomically(db, () => {
      // Another process may have made it since.
      if (columns() !== "") return;
      freeName(db, name);
      // SQLite keeps this text, comment included: a later version reads the format from it.
      db.exec(
        `CREATE TABLE ${table} (key TEXT PRIMARY KEY NOT NULL, version TEXT NOT NULL, expires ` +
          "INTEGER, metadata TEXT, value TEXT NOT NULL /* anykv 1 */)",
      );
      makeIndex(db, name);
    });
  }
  if (columns() !== COLUMNS)
    throw new KvError(
      "KV_INVALID_CLIENT",
      `the table ${table} has other columns than a table of this library: name another one, ` +
        `e.g. sqlite(db, { table: "records" })`,
    );
  const { encoding } = prepare(db, "SELECT encoding FROM pragma_encoding").get() as {
    encoding: string;
  };
  if (encoding !== "UTF-8")
    throw new KvError(
      "KV_INVALID_CLIENT",
      `the database keeps its texts in ${encoding}: only UTF-8 sorts keys right`,
    );
}

const FULL = 2;

/**
 * Makes an acknowledged write survive a power failure where SQLite's default would not: with a
 * rollback journal, the removal of the journal is the commit, and `FULL` does not wait for that to
 * be on the disk (https://sqlite.org/pragma.html#pragma_synchronous). Other settings are the
 * owner's choice.
 */
export function waitForDisk(db: SqliteClient): void {
  const { synchronous } = prepare(db, "PRAGMA synchronous").get() as { synchronous: unknown };
  if (Number(synchronous) === FULL && isInTransaction(db) !== true)
    db.exec("PRAGMA synchronous = EXTRA");
}

/** How keys are asked for and read. Rows of others may have keys that are no texts: `null`. */
export interface KeyColumn {
  readonly sql: string;
  of(key: unknown): string | null;
}

/** The way to the keys that is exact on this handle. */
export function keyColumn(db: SqliteClient): KeyColumn {
  const { text } = prepare(db, "SELECT char(97, 0, 97) AS text").get() as { text: string };
  if (text.length === 3) return { sql: "key", of: (key) => (typeof key === "string" ? key : null) };
  // Node 22 cuts texts at NUL, but no bytes.
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  return {
    sql: "CASE WHEN instr(key, char(0)) THEN CAST(key AS BLOB) ELSE key END AS key",
    of: (key) =>
      typeof key === "string" ? key : key instanceof Uint8Array ? decoder.decode(key) : null,
  };
}

/**
 * The record in a row; without a value when the row has none.
 *
 * @throws {KvError} KV_FOREIGN for a row of others, KV_CORRUPT for a damaged one.
 */
export function tableRecord(
  key: string,
  { version, expires, metadata = null, value }: SqliteRow,
): StoredRecord {
  if (!isOwnVersion(version)) throw foreign(key);
  observe(version);
  const deadline = expires === null ? null : Number(expires);
  if (value === undefined) return new StoredRecord(null, deadline, version, null);
  try {
    // A column of texts holds nothing else but bytes: those of a namespace.
    return new StoredRecord(
      (value instanceof Uint8Array ? value : JSON.parse(value as string)) as Json,
      deadline,
      version,
      metadata === null ? null : (JSON.parse(metadata as string) as Json),
    );
  } catch {
    // The engine's own message shows some of the content.
    throw new KvError(
      "KV_CORRUPT",
      `the record under ${JSON.stringify(key)} is damaged: set() replaces it, del() removes it`,
      { key },
    );
  }
}

/** The conditions on a key for a range of keys, and their parameters. */
export function rangeClause(
  prefix: string,
  after: string | null,
  reverse: boolean,
): [sql: string, parameters: string[]] {
  const end = reverse && after !== null ? after : prefixEnd(prefix);
  const [compare, start] = reverse || after === null ? [">=", prefix] : [">", after];
  return end === null
    ? [`key ${compare} ?`, [start]]
    : [`key ${compare} ? AND key < ?`, [start, end]];
}
