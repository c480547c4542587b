import { KvError } from "../../errors.ts";
import { StoredRecord } from "../../record/record.ts";
import type { Json } from "../../types.ts";
import type { PostgresLink, PostgresRow } from "./link.ts";
import type { KvRecord } from "../../record/types.ts";
import { prefixEnd } from "../../prefix.ts";
import { foreign } from "../../record/text-format.ts";
import { observe, versionOf } from "../../record/version.ts";

const VERSION = /^[0-9a-f]{20}$/;

/** Whether a row of this library's has such a version. */
export const isOurs = (version: string | null | undefined): version is string =>
  typeof version === "string" && VERSION.test(version);

/** The same in SQL. */
export const OURS = "version ~ '^[0-9a-f]{20}$'";

const COLUMNS =
  "key text C required, version text default required, expires bigint, metadata text default, " +
  "value text default required";

/** How many bytes of a name Postgres keeps. */
const LONGEST_NAME = 63;

/** @throws {KvError} KV_INVALID_CLIENT for a name that nothing can have. */
function quoted(name: unknown, what: string): string {
  const isName =
    typeof name === "string" && name !== "" && !name.includes("\0") && name.isWellFormed();
  if (isName && new TextEncoder().encode(name).length <= LONGEST_NAME)
    return `"${name.replaceAll('"', '""')}"`;
  throw new KvError(
    "KV_INVALID_CLIENT",
    `a ${what} cannot be called ${JSON.stringify(name)}: pass a name of 1 to ${LONGEST_NAME} ` +
      `bytes in the option "${what}"`,
  );
}

/** The table of that name as SQL has it. */
export function tableName(table: unknown, schema: unknown): string {
  return schema === undefined
    ? quoted(table, "table")
    : `${quoted(schema, "schema")}.${quoted(table, "table")}`;
}

/** A text as SQL has it, whatever `standard_conforming_strings` says. */
export const literal = (text: string): string =>
  `E'${text.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;

const arrayItem = (item: string | null): string =>
  item === null ? "NULL" : `"${item.replace(/["\\]/g, "\\$&")}"`;

/** Texts as one text that Postgres takes for an array. */
export const arrayOf = (items: readonly (string | null)[]): string =>
  `{${items.map(arrayItem).join()}}`;

/** A block of statements of its own. */
export function block(body: string): string {
  let tag = "$anykv$";
  for (let i = 0; body.includes(tag); i++) tag = `$anykv${i}$`;
  return `DO ${tag} ${body} ${tag}`;
}

/**
 * A key as the table has it: texts of Postgres cannot hold U+0000. The order of keys stays, and so
 * do their prefixes.
 */
export const escapeKey = (key: string): string =>
  key.includes("\0") || key.includes("\u0001")
    ? key.replaceAll("\u0001", "\u0001\u0002").replaceAll("\0", "\u0001\u0001")
    : key;

/** The key of a column; `null` for a text that is no key of this library. */
export function unescapeKey(text: string): string | null {
  if (!text.includes("\u0001")) return text;
  const key = text.replaceAll("\u0001\u0001", "\0").replaceAll("\u0001\u0002", "\u0001");
  return escapeKey(key) === text ? key : null;
}

/** The condition on a key for a range of keys, and its parameters. */
export function rangeCondition(
  prefix: string,
  after: string | null,
  reverse: boolean,
): [sql: string, parameters: string[]] {
  const [start, behind] = [escapeKey(prefix), after === null ? null : escapeKey(after)];
  const end = reverse && behind !== null ? behind : prefixEnd(start);
  const from = reverse || behind === null ? ["key >= $1", start] : ["key > $1", behind];
  return end === null ? [from[0]!, [from[1]!]] : [`${from[0]} AND key < $2`, [from[1]!, end]];
}

/** The columns of a record, in their order behind the key. */
export const columnsOf = (record: KvRecord): (string | null)[] => [
  versionOf(record),
  record.expires === null ? null : String(record.expires),
  record.metadata === null ? null : JSON.stringify(record.metadata),
  JSON.stringify(record.value),
];

/**
 * The record in a row: key, version and deadline, and metadata and value where they were asked for.
 *
 * @throws {KvError} KV_FOREIGN for a row of others, KV_CORRUPT for a damaged one.
 */
export function ownRowRecord(key: string, row: PostgresRow): StoredRecord {
  if (!isOurs(row[1])) throw foreign(key);
  return rowRecord(key, row);
}

/** The same for a row that is known to be of this library. */
export function rowRecord(key: string, row: PostgresRow): StoredRecord {
  const version = row[1]!;
  observe(version);
  const deadline = row[2] === null ? null : Number(row[2]);
  if (row.length === 3) return new StoredRecord(null, deadline, version, null);
  try {
    return new StoredRecord(
      JSON.parse(row[4]!) as Json,
      deadline,
      version,
      row[3] === null ? null : (JSON.parse(row[3]!) as Json),
    );
  } catch {
    // Without the engine's own message, which shows some of the content.
    throw new KvError(
      "KV_CORRUPT",
      `the record under ${JSON.stringify(key)} is damaged: set() replaces it, del() removes it`,
      { key },
    );
  }
}

const LOOK = `SELECT current_setting('server_encoding'), c.relkind::text,
  (SELECT string_agg(concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), o.collname,
      CASE WHEN a.attnotnull THEN 'required' END), ', ' ORDER BY a.attnum)
    FROM pg_attribute AS a LEFT JOIN pg_collation AS o ON o.oid = a.attcollation
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
  EXISTS (SELECT 1 FROM pg_index AS i
    WHERE i.indrelid = c.oid AND i.indisprimary AND i.indkey::text = '1')::text
  FROM (SELECT to_regclass($1::text)::oid AS oid) AS found
  LEFT JOIN pg_class AS c ON c.oid = found.oid`;

/**
 * Makes the table unless it is there.
 *
 * @throws {KvError} KV_INVALID_CLIENT when the table is another's, there is no such schema, or the
 * database is not in UTF-8.
 */
export async function makeTable(link: PostgresLink, table: string): Promise<void> {
  const look = async (): Promise<PostgresRow> => (await link.run(LOOK, [table]))[0]!;
  let found = await look();
  if (found[0] !== "UTF8")
    throw new KvError(
      "KV_INVALID_CLIENT",
      `the database keeps its texts in ${found[0]}: only UTF8 holds every key and sorts keys right`,
    );
  if (found[1] === null) {
    // Another process may be making it at this moment: then that one is waited for.
    const create = block(`BEGIN
      CREATE TABLE ${table} (key text COLLATE "C" PRIMARY KEY, version text NOT NULL,
        expires bigint, metadata text, value text NOT NULL);
      CREATE INDEX ON ${table} (expires) WHERE expires IS NOT NULL;
      COMMENT ON TABLE ${table} IS 'anykv 1';
    EXCEPTION WHEN duplicate_table OR duplicate_object OR unique_violation THEN NULL; END`);
    await link.script(create).catch((cause) => {
      if ((cause as { code?: unknown }).code !== "3F000") throw cause;
      throw new KvError(
        "KV_INVALID_CLIENT",
        `there is no schema for the table ${table}: create it, or name another one in the ` +
          `option "schema"`,
        { cause },
      );
    });
    found = await look();
  }
  const [, kind, columns, hasKey] = found;
  if (/^[rp]$/.test(kind ?? "") && columns === COLUMNS && hasKey === "true") return;
  throw new KvError(
    "KV_INVALID_CLIENT",
    `the table ${table} has other columns than a table of this library: name another one, e.g. ` +
      `postgres(pool, { table: "records" })`,
  );
}
