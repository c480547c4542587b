import { POSTGRES } from "../manifests.ts";
import { addressOf } from "../shared/address.ts";
import { attempts } from "./attempts.ts";
import { columnsOfAll, commitToPostgres, sortByKey, REPLACE } from "./commit.ts";
import { endClient, linkTo, type PostgresClient, type PostgresLink } from "./link.ts";
import { pagesOf } from "./pages.ts";
import { forgetting } from "../shared/read-ahead.ts";
import {
  arrayOf,
  columnsOf,
  escapeKey,
  makeTable,
  OURS,
  ownRowRecord,
  tableName,
  rangeCondition,
} from "./table.ts";
import { type ClientFactory, defineClient } from "../define.ts";
import type { KvRecord, Write } from "../../record/types.ts";
import type { Adapter, PruneQuery } from "../adapter.ts";

export type { PgClient, PgQuery, PostgresResult } from "./client.ts";
export type { PgliteClient, PgliteOptions, PostgresClient } from "./link.ts";

/** Options of {@link postgres}. */
export interface PostgresOptions {
  /** The table that holds the records; any name of up to 63 bytes. Default `"kv"`. */
  table?: string;
  /** The schema that the table is in; it has to exist. Default: as the `search_path` says. */
  schema?: string;
}

/**
 * Keeps records in a table of a Postgres database, through a Pool or Client of `pg` or a PGlite
 * database. The table is made by the first operation. A missing key is `null`; expired records are
 * removed through an index. Rows that this library did not write are left alone. Keys, deadlines
 * (epoch milliseconds) and values (JSON) are readable columns; U+0000 and U+0001 stand in keys as
 * U+0001 with U+0001 or U+0002 behind it.
 *
 * Every operation is one statement or one block of statements; a commit holds across processes. On
 * a Client with an open transaction all of it becomes a part of that one. A Pool recovers from
 * outages; a Client cannot connect again, and refuses everything once its connection has ended.
 * After two requests in a row without an answer a Pool gets new connections. `close()` ends the
 * Pool, Client or database.
 *
 * @throws {KvError} KV_INVALID_CLIENT for a foreign table, an impossible name or a database that is
 * not in UTF-8, KV_QUOTA when the disk is full, KV_TOO_LARGE above the limit of Postgres (1 GB).
 * @example
 * import { Pool } from "pg";
 * import kv from "anykv";
 * import { postgres } from "anykv/clients/postgres";
 *
 * const pool = new Pool({ connectionString: process.env.DATABASE_URL });
 * const store = kv(postgres(pool, { table: "sessions" }));
 * await store.set("key1", { hello: "world" }, { expires: "1h" });
 * console.log(await store.get("key1")); // { hello: "world" }
 * await store.close();
 */
export const postgres: ClientFactory<PostgresClient, PostgresOptions> = defineClient({
  ...POSTGRES,
  options: ["table", "schema"],
  address: addressOf,
  open(client: PostgresClient, { table = "kv", schema }: PostgresOptions) {
    const name = tableName(table, schema);
    const link = linkTo(client);
    const again = attempts(() => makeTable(link, name));
    let isMade = false;
    let making: Promise<void> | null = null;
    const make = async (): Promise<void> => {
      await link.connect();
      await again(() => makeTable(link, name));
      isMade = true;
    };
    // The adapter is there before the table, so that close() can end a client that gets no answer.
    const prepared = (): Promise<void> => (making ??= make().finally(() => (making = null)));
    const ready = <T>(work: () => Promise<T>): Promise<T> =>
      isMade ? again(work) : prepared().then(() => again(work));
    const made: PostgresLink = {
      ...link,
      run: (...args) => ready(() => link.run(...args)),
      script: (text) => ready(() => link.script(text)),
    };
    return {
      ...adapterOf(made, name),
      ...("exec" in client
        ? {}
        : {
            watch: async (feed) =>
              (await import("./feed.ts")).postgresFeed(client, made, name, feed),
          }),
      close: () => endClient(client),
      ...(link.replace && { replace: link.replace }),
      // While the table is made, operations that wait for it may be overtaken.
      get inOrder() {
        return isMade && link.isInOrder ? "all" : undefined;
      },
    };
  },
  close: endClient,
});

function adapterOf(link: PostgresLink, table: string): Adapter {
  const columns = `${link.key}, version, expires::text, metadata, value`;
  const upsert = `INSERT INTO ${table} (key, version, expires, metadata, value)`;
  const replace = `ON CONFLICT (key) DO UPDATE SET ${REPLACE}`;
  // Rows that are there are locked first, in the order of their keys: no two writers that do the
  // same waits in a circle.
  const inLine = (keys: string): string =>
    `WITH locked AS (SELECT 1 FROM ${table} WHERE key = ANY(${keys}) ORDER BY key FOR UPDATE)`;
  const then = "(SELECT count(*) FROM locked) >= 0";
  const removeAll = `DELETE FROM ${table} WHERE key = ANY($1::text[]) AND ${then}`;
  const putAll =
    `${upsert} SELECT k, v, e::bigint, m, j FROM unnest($2::text[], $3::text[], ` +
    `$4::text[], $5::text[], $6::text[]) AS w (k, v, e, m, j) WHERE ${then} ${replace}`;

  async function setMany(writes: readonly Write[]): Promise<void> {
    const records = sortByKey(writes.filter(({ record }) => record !== null));
    const gone = arrayOf(
      writes.filter(({ record }) => record === null).map(({ key }) => escapeKey(key)),
    );
    if (records.length === 0) await link.run(`${inLine("$1::text[]")} ${removeAll}`, [gone]);
    else
      await link.run(`${inLine("$1::text[] || $2::text[]")}, gone AS (${removeAll}) ${putAll}`, [
        gone,
        ...columnsOfAll(records),
      ]);
  }
  async function getMany(keys: readonly string[]): Promise<(KvRecord | null)[]> {
    const rows = await link.run(`SELECT ${columns} FROM ${table} WHERE key = ANY($1::text[])`, [
      arrayOf(keys.map(escapeKey)),
    ]);
    const found = new Map(rows.map((row) => [row[0]!.slice(link.guard), row]));
    return keys.map((key) => {
      const row = found.get(escapeKey(key));
      return row === undefined ? null : ownRowRecord(key, row);
    });
  }
  async function prune({ prefix, now, limit }: PruneQuery): Promise<number> {
    const [range, parameters] = rangeCondition(prefix, null, false);
    const expired = `expires <= ${now}`;
    // Rows that are being written at this moment are no longer the expired ones.
    const keys =
      `SELECT key FROM ${table} WHERE ${expired} AND ${range} AND ${OURS} ` +
      `${limit === Infinity ? "" : `LIMIT ${limit}`} FOR UPDATE SKIP LOCKED`;
    const [row] = await link.run(
      `WITH gone AS (DELETE FROM ${table} WHERE key = ANY(ARRAY(${keys})) AND ${expired} ` +
        "RETURNING 1) SELECT count(*)::text FROM gone",
      parameters,
      true,
    );
    return Number(row![0]);
  }

  const pages = pagesOf(link, table);
  const adapter: Adapter = {
    async get(key) {
      const [row] = await link.run(`SELECT ${columns} FROM ${table} WHERE key = $1`, [
        escapeKey(key),
      ]);
      return row === undefined ? null : ownRowRecord(key, row);
    },
    has: async (key, now) =>
      (
        await link.run(
          `SELECT 1::text FROM ${table} WHERE key = $1 AND (expires IS NULL OR expires > ` +
            `${now}) AND ${OURS}`,
          [escapeKey(key)],
        )
      ).length > 0,
    getMany,
    page: pages.page,
    set: async (key, record) =>
      void (await link.run(`${upsert} VALUES ($1, $2, $3::text::bigint, $4, $5) ${replace}`, [
        escapeKey(key),
        ...columnsOf(record),
      ])),
    del: async (key) =>
      void (await link.run(`DELETE FROM ${table} WHERE key = $1`, [escapeKey(key)])),
    setMany,
    async clear(prefix) {
      const [range, parameters] = rangeCondition(prefix, prefix, false);
      await link.run(`DELETE FROM ${table} WHERE ${range} AND ${OURS}`, parameters, true);
    },
    prune,
    commit: (checks, writes, now) => commitToPostgres(link, table, checks, writes, now),
  };
  return forgetting(adapter, pages.forget);
}
