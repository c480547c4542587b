import type { PostgresLink, PostgresRow } from "./link.ts";
import { arrayOf, unescapeKey, isOurs, rowRecord, rangeCondition } from "./table.ts";
import { type RowBatch, ReadAhead } from "../shared/read-ahead.ts";
import { type Page, PAGE_LENGTH, type PageQuery } from "../adapter.ts";
import type { KvRecord } from "../../record/types.ts";

/** Values up to this many bytes are read with their page. */
const SMALL = PAGE_LENGTH / 500;

/**
 * Reads pages of a table, and ahead of them. Large values are read by a statement of their own, no
 * more of them than a page may hold.
 */
export function pagesOf(
  link: PostgresLink,
  table: string,
): { page(query: PageQuery): Promise<Page>; forget(): void } {
  // No value begins with a space: behind it stands how large it is, which the server knows without
  // reading it.
  const value =
    `CASE WHEN octet_length(value) > ${SMALL} THEN ' ' || octet_length(value)::text ` +
    "ELSE value END";
  const keyOf = (row: PostgresRow): string | null => unescapeKey(row[0]!.slice(link.guard));
  const read = async ({
    prefix,
    after,
    limit,
    reverse,
    values,
  }: PageQuery): Promise<RowBatch<PostgresRow>> => {
    const [range, parameters] = rangeCondition(prefix, after, reverse);
    const columns = `${link.key}, version, expires::text${values ? `, metadata, ${value}` : ""}`;
    const rows = await link.run(
      `SELECT ${columns} FROM ${table} WHERE ${range} ORDER BY ${table}.key ` +
        `${reverse ? "DESC" : "ASC"} LIMIT ${limit}`,
      parameters,
    );
    return { rows, more: rows.length === limit };
  };
  const ahead = new ReadAhead(read, keyOf);
  // Reading ahead is useless while pages end before the records that were read.
  let isCut = false;

  /** The rows with their large values; fewer of them when those are too many. */
  async function complete(
    rows: readonly PostgresRow[],
  ): Promise<readonly (PostgresRow | undefined)[]> {
    let end = 0;
    const large: string[] = [];
    for (let bytes = 0; end < rows.length && bytes < PAGE_LENGTH; end++) {
      const [key, , , , text] = rows[end]!;
      if (text![0] !== " ") continue;
      bytes += Number(text);
      large.push(key!.slice(link.guard));
    }
    if (large.length === 0) return rows;
    const read = await link.run(
      `SELECT ${link.key}, version, expires::text, metadata, value FROM ${table} WHERE key = ` +
        "ANY($1::text[])",
      [arrayOf(large)],
    );
    const found = new Map(read.map((row) => [row[0], row]));
    // Those that are gone by now are left out.
    return rows.slice(0, end).map((row) => (row[4]![0] === " " ? found.get(row[0]!) : row));
  }

  const page = async (query: PageQuery): Promise<Page> => {
    const { rows, more } = await (isCut ? read(query) : ahead.page(query));
    const all =
      query.values && rows.some((row) => row[4]![0] === " ") ? await complete(rows) : rows;
    isCut = all.length < rows.length;
    const entries: (readonly [string, KvRecord])[] = [];
    for (const row of all) {
      const key = row === undefined ? null : keyOf(row);
      if (key !== null && isOurs(row![1])) entries.push([key, rowRecord(key, row!)]);
    }
    if (!more && !isCut) return { entries, next: null };
    // Keys of others may be none that a page can start behind.
    const last = rows.slice(0, all.length).findLast((row) => keyOf(row) !== null);
    return { entries, next: last === undefined ? null : keyOf(last) };
  };
  return { page, forget: () => ahead.forget() };
}
