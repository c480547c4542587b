import { KvError } from "../../errors.ts";
import { type KeyedLock, keyedLock } from "../../concurrency/keyed-lock.ts";
import { type Page, PAGE_LENGTH, type PageQuery } from "../adapter.ts";
import type { KvRecord } from "../../record/types.ts";
import { prefixEnd } from "../../prefix.ts";
import { decodeRecord } from "../../record/text-format.ts";

/** How keys and values are given and taken. */
export interface LevelEncodings {
  readonly keyEncoding: "utf8";
  readonly valueEncoding: "utf8";
}

/** The options of an iterator. */
export interface LevelRange extends LevelEncodings {
  readonly gt?: string;
  readonly gte?: string;
  readonly lt?: string;
  readonly reverse: boolean;
  readonly highWaterMarkBytes: number;
}

/** The part of an iterator that is used. */
export interface LevelIterator {
  nextv(size: number): Promise<[string, string][]>;
  close(): Promise<void>;
}

/** One change of a batch. */
export type LevelOperation =
  | { type: "put"; key: string; value: string }
  | { type: "del"; key: string };

/**
 * The part of an abstract-level database that is used: `level`, `classic-level`, `browser-level`,
 * `memory-level`, their sublevels.
 */
export interface LevelClient {
  readonly status: string;
  /**
   * Only sublevels have these two: the prefix of their keys, and the database that they belong to.
   */
  readonly prefix?: unknown;
  readonly db?: unknown;
  readonly supports?: { readonly encodings?: { readonly [name: string]: boolean } };
  open(options?: { passive: boolean }): Promise<void>;
  close(): Promise<void>;
  get(key: string, options: LevelEncodings): Promise<string | undefined>;
  getMany(keys: string[], options: LevelEncodings): Promise<(string | undefined)[]>;
  put(key: string, value: string, options: LevelEncodings): Promise<void>;
  del(key: string, options: LevelEncodings): Promise<void>;
  batch(operations: LevelOperation[], options: LevelEncodings): Promise<void>;
  iterator(options: LevelRange): LevelIterator;
  once?(event: "open", listener: () => void): unknown;
}

/**
 * Named with each operation, so that it does not matter which encodings the user's database has.
 */
export const UTF8: LevelEncodings = { keyEncoding: "utf8", valueEncoding: "utf8" };

// All stores over one database, and over its sublevels, must see one lock.
const locks = new WeakMap<object, KeyedLock>();

/**
 * The database of a sublevel, and the prefix of the sublevel's keys there.
 */
export function rootOf(db: LevelClient): { root: LevelClient; before: string } {
  const isSublevel = typeof db.prefix === "string" && typeof db.db === "object" && db.db !== null;
  return isSublevel
    ? { root: db.db as LevelClient, before: db.prefix as string }
    : { root: db, before: "" };
}

/** The lock of all stores over a database. */
export function lockOf(db: LevelClient): KeyedLock {
  const { root, before } = rootOf(db);
  const lock = locks.get(root) ?? keyedLock();
  locks.set(root, lock);
  return before === ""
    ? lock
    : (keys, task) =>
        lock(
          keys.map((key) => before + key),
          task,
        );
}

/**
 * @throws {KvError} KV_INVALID_CLIENT for a database of another order; the database's own error
 * when it cannot be opened.
 */
export async function opened(db: LevelClient): Promise<void> {
  // A passive wait would hide why opening fails; anything else would reopen a database that its
  // owner has closed.
  await (db.status === "opening" ? db.open() : db.open({ passive: true }));
  const { utf8, buffer, view } = db.supports?.encodings ?? {};
  if (!utf8 || buffer || view) return;
  throw new KvError(
    "KV_INVALID_CLIENT",
    'this database sorts its keys by UTF-16 units: open it with storeEncoding "buffer" or "view"',
  );
}

function rangeOf({ prefix, after, reverse }: PageQuery): LevelRange {
  const end = reverse ? (after ?? prefixEnd(prefix)) : prefixEnd(prefix);
  const start = reverse || after === null ? { gte: prefix } : { gt: after };
  return {
    ...UTF8,
    ...start,
    ...(end === null ? {} : { lt: end }),
    reverse,
    highWaterMarkBytes: PAGE_LENGTH,
  };
}

/** Old versions throw for a missing key. */
export function absent(error: unknown): undefined {
  if ((error as { code?: unknown } | null)?.code === "LEVEL_NOT_FOUND") return undefined;
  throw error;
}

/** One page of records. It ends early when the records are large. */
export async function levelPage(db: LevelClient, query: PageQuery): Promise<Page> {
  const { limit, values } = query;
  const iterator = db.iterator(rangeOf(query));
  const entries: (readonly [string, KvRecord])[] = [];
  let next = "";
  let seen = 0;
  let length = 0;
  // A key of others that is not UTF-8 arrives changed: no page can start behind it.
  let isExact = true;
  try {
    while ((seen < limit && length < PAGE_LENGTH) || !isExact) {
      // Not every kind of database heeds highWaterMarkBytes: as many as should fit, judged by those
      // before.
      const room = seen === 0 ? 50 : Math.ceil(((PAGE_LENGTH - length) * seen) / (length + 1));
      const found = await iterator.nextv(Math.max(1, Math.min(room, limit - seen)));
      if (found.length === 0) return { entries, next: null };
      seen += found.length;
      for (const [key, text] of found) {
        const record = decodeRecord(text, key, values);
        if (record !== null) entries.push([key, record]);
        length += text.length;
        next = key;
        isExact = record !== null || !key.includes("\ufffd");
      }
    }
    return { entries, next };
  } finally {
    await iterator.close();
  }
}
