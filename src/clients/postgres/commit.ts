import { KvError } from "../../errors.ts";
import { holds } from "../../record/freshness.ts";
import { committed } from "../shared/all-or-nothing.ts";
import type { CommitResult } from "../../types.ts";
import type { PostgresLink } from "./link.ts";
import {
  arrayOf,
  block,
  columnsOf,
  unescapeKey,
  escapeKey,
  isOurs,
  literal,
  OURS,
  ownRowRecord,
} from "./table.ts";
import type { Check, KvRecord, Write } from "../../record/types.ts";
import { foreign } from "../../record/text-format.ts";

/** How often a commit starts again when others write its absent keys in between. */
const TRIES = 50;

/**
 * From how many keys on a commit takes one lock for all: each lock takes room that all connections
 * of a server share.
 */
const MANY = 500;

/**
 * The version of a row that stands for an absent key while a commit is being made: no other
 * transaction sees it.
 */
const PLACEHOLDER = "absent";

/** The assignments to the columns of an existing row. */
export const REPLACE: string =
  "version = excluded.version, expires = excluded.expires, " +
  "metadata = excluded.metadata, value = excluded.value";

// Nothing that a caller makes up may end a statement: U+0000 would.
const versionIn = (version: string): string => (isOurs(version) ? version : "-");

/**
 * The columns of all writes of records, each as one parameter: keys, versions, deadlines, metadata,
 * values.
 */
export function columnsOfAll(writes: readonly Write[]): string[] {
  const rows = writes.map(({ key, record }) => [escapeKey(key), ...columnsOf(record!)]);
  return [0, 1, 2, 3, 4].map((column) => arrayOf(rows.map((row) => row[column]!)));
}

/**
 * The same keys in the same order everywhere: two who write them wait for one another in a line,
 * not in a circle.
 */
export const sortByKey = (writes: readonly Write[]): Write[] =>
  [...writes].sort((a, b) => (a.key < b.key ? -1 : 1));

/**
 * The commit of one key: one statement, which Postgres applies to the row as it is at that moment.
 */
async function commitOne(
  link: PostgresLink,
  table: string,
  { key, version }: Check,
  record: KvRecord | null,
  now: number,
): Promise<boolean> {
  const columns = record === null ? [] : columnsOf(record);
  const given = [escapeKey(key), String(now), ...columns];
  const fresh = "version = $3 AND (expires IS NULL OR expires > $2::text::bigint)";
  let statement: string;
  if (version !== null) {
    given.splice(2, 0, versionIn(version));
    statement =
      record === null
        ? `DELETE FROM ${table} WHERE key = $1 AND ${fresh}`
        : `UPDATE ${table} SET (version, expires, metadata, value) = ROW($4, $5::text::bigint, ` +
          `$6, $7) WHERE key = $1 AND ${fresh}`;
  } else {
    statement = `INSERT INTO ${table} AS old (key, version, expires, metadata, value)
      VALUES ($1, $3, $4::text::bigint, $5, $6)
      ON CONFLICT (key) DO UPDATE SET ${REPLACE}
      WHERE old.expires <= $2::text::bigint AND old.${OURS}`;
  }
  const [[count, found]] = (await link.run(
    `WITH done AS (${statement} RETURNING 1) SELECT (SELECT count(*) FROM done)::text, (SELECT ` +
      `version FROM ${table} WHERE key = $1)`,
    given,
  )) as [[string, string | null]];
  if (count === "0" && found !== null && !isOurs(found)) throw foreign(key);
  return count !== "0";
}

/**
 * The commit of several keys, as one block of statements. An existing key is locked by its row. An
 * absent key is locked by a row that is made for it: the written one or, for a key that is only
 * checked, one that is deleted at the end. A concurrent writer of such a key waits for this commit,
 * or fails a check. Commits that share a key wait for one another before that, by locks on the
 * names of keys, so that they do not meet in a circle; those of many keys by one lock among
 * themselves.
 */
function script(
  table: string,
  checks: readonly Check[],
  writes: readonly Write[],
  now: number,
): string {
  const texts = (items: readonly (string | null)[]): string => `${literal(arrayOf(items))}::text[]`;
  const records = sortByKey(writes.filter(({ record }) => record !== null));
  const [absent, gone] = [
    checks.filter(({ version }) => version === null),
    writes.filter(({ record }) => record === null),
  ].map((some) => new Set(some.map(({ key }) => key))) as [Set<string>, Set<string>];
  const written = new Set(records.map(({ key }) => key));
  const guarded = records.filter(({ key }) => absent.has(key));
  // One moment shows all keys at once: who only checks needs no more.
  const onlyChecked =
    writes.length === 0
      ? []
      : [...absent]
          .filter((key) => !written.has(key))
          .map(escapeKey)
          .sort();
  const into = `INSERT INTO ${table} AS old (key, version, expires, metadata, value)`;
  const insert = (some: readonly Write[]): string =>
    `${into} SELECT k, v, e::bigint, m, j FROM unnest(${columnsOfAll(some)
      .map((column) => `${literal(column)}::text[]`)
      .join()}) AS w (k, v, e, m, j) ON CONFLICT (key) DO UPDATE SET ${REPLACE}`;
  const hold =
    `${into} SELECT k, '${PLACEHOLDER}', NULL, NULL, '' FROM ` +
    `unnest(${texts(onlyChecked)}) AS k ON CONFLICT (key) DO UPDATE SET version = old.version`;
  const isExpired = `old.expires <= ${now} AND old.${OURS}`;
  const made = (count: number): string =>
    `GET DIAGNOSTICS kv_made = ROW_COUNT; IF kv_made <> ${count} THEN RAISE EXCEPTION USING ` +
    "ERRCODE = 'KV001'; END IF;";
  const keys = [...new Set([...checks, ...writes].map(({ key }) => escapeKey(key)))];
  const all = texts(keys);
  const names =
    keys.length > MANY
      ? `SELECT hashtextextended('anykv', 0) AS h`
      : `SELECT DISTINCT hashtextextended('anykv ' || k, 0) AS h
          FROM unnest(${all}) AS k ORDER BY h`;
  const expected = checks.map(({ version }) => (version === null ? null : versionIn(version)));
  const body = `DECLARE kv_failed text[]; kv_foreign text; kv_made bigint;
  BEGIN
    PERFORM pg_advisory_xact_lock(h) FROM (${names}) AS locks;
    PERFORM 1 FROM ${table} WHERE key = ANY(${all}) ORDER BY key FOR UPDATE;
    SELECT array_agg(k ORDER BY n) FILTER (
        WHERE v IS DISTINCT FROM CASE WHEN t.expires <= ${now} THEN NULL ELSE t.version END),
      min(k) FILTER (WHERE NOT t.${OURS}) INTO kv_failed, kv_foreign
      FROM unnest(${texts(checks.map(({ key }) => escapeKey(key)))}, ${texts(expected)})
        WITH ORDINALITY AS c (k, v, n)
      LEFT JOIN ${table} AS t ON t.key = k;
    IF kv_failed IS NULL AND kv_foreign IS NULL THEN
      ${onlyChecked.length === 0 ? "" : `${hold} WHERE ${isExpired}; ${made(onlyChecked.length)}`}
      ${insert(guarded)} WHERE ${isExpired}; ${made(guarded.length)}
      ${insert(records.filter(({ key }) => !absent.has(key)))};
      DELETE FROM ${table} WHERE key = ANY(${texts([...gone].map(escapeKey))});
      ${
        onlyChecked.length === 0
          ? ""
          : `DELETE FROM ${table} WHERE key = ` +
            `ANY(${texts(onlyChecked)}) AND version = '${PLACEHOLDER}';`
      }
    END IF;
    PERFORM set_config('anykv.result', json_build_object(
      'failed', coalesce(kv_failed, '{}'), 'foreign', kv_foreign)::text, true);
  EXCEPTION WHEN SQLSTATE 'KV001' THEN PERFORM set_config('anykv.result', 'null', true);
  END`;
  return `${block(body)}; SELECT current_setting('anykv.result')`;
}

/**
 * All writes or none, if all checks hold. Becomes a part of a transaction that is open on the
 * client.
 */
export async function commitToPostgres(
  link: PostgresLink,
  table: string,
  checks: readonly Check[],
  writes: readonly Write[],
  now: number,
): Promise<CommitResult> {
  const [check, write] = [checks[0], writes[0]];
  if (
    checks.length === 1 &&
    check !== undefined &&
    (write === undefined || (writes.length === 1 && write.key === check.key))
  ) {
    if (write !== undefined && (write.record !== null || check.version !== null)) {
      const done = await commitOne(link, table, check, write.record, now);
      return done ? committed(writes) : { ok: false, failed: [check.key] };
    }
    const [row] = await link.run(
      `SELECT NULL::text, version, expires::text FROM ${table} WHERE key = $1`,
      [escapeKey(check.key)],
    );
    const found = row === undefined ? null : ownRowRecord(check.key, row);
    return holds(check, found, now) ? committed(writes) : { ok: false, failed: [check.key] };
  }
  for (let tries = 0; tries < TRIES; tries++) {
    const [[text]] = (await link.script(script(table, checks, writes, now))) as [[string]];
    const result = JSON.parse(text) as { failed: string[]; foreign: string | null } | null;
    if (result === null) continue;
    if (result.foreign !== null) throw foreign(unescapeKey(result.foreign) ?? result.foreign);
    const failed = result.failed.map((key) => unescapeKey(key)!);
    return failed.length > 0 ? { ok: false, failed } : committed(writes);
  }
  throw new KvError(
    "KV_CONNECTION",
    `others wrote keys of this commit ${TRIES} times in between: nothing was written; try again`,
  );
}
