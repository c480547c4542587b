import { KvError } from "../../errors.ts";
import type { MaybePromise } from "../../types.ts";
import { randomPause } from "../../concurrency/retry.ts";

/** A prepared statement, as far as it is used. */
export interface SqliteStatement {
  get(...parameters: (string | number | Uint8Array | null)[]): unknown;
  all(...parameters: (string | number | Uint8Array | null)[]): unknown[];
  run(...parameters: (string | number | Uint8Array | null)[]): {
    readonly changes: number | bigint;
  };
  iterate(...parameters: (string | number | Uint8Array | null)[]): Iterable<unknown>;
}

/**
 * The part of a SQLite handle that is used: of better-sqlite3, `node:sqlite` (DatabaseSync) and
 * `bun:sqlite`.
 */
export interface SqliteClient {
  prepare(sql: string): SqliteStatement;
  exec(sql: string): unknown;
  close(): unknown;
  /** Whether a transaction is open: the first in better-sqlite3 and Bun, the second in Node. */
  readonly inTransaction?: boolean;
  readonly isTransaction?: boolean;
  /** Node alone: `false` when its owner has closed the handle. */
  readonly isOpen?: boolean;
}

const NAMES: { readonly [code: number]: string } = {
  5: "BUSY",
  6: "LOCKED",
  11: "CORRUPT",
  13: "FULL",
  18: "TOOBIG",
  26: "NOTADB",
};

/** SQLite's name of an error, e.g. `"BUSY"`; `undefined` for others than those that matter here. */
function codeOf(error: unknown): string | undefined {
  const { code, errcode, errno } = Object(error) as {
    code?: unknown;
    errcode?: unknown;
    errno?: unknown;
  };
  const number = errcode ?? errno;
  // The low byte is the kind of error, the others say more about it.
  if (typeof number === "number") return NAMES[number & 0xff];
  return typeof code === "string"
    ? Object.values(NAMES).find((name) => code.startsWith(`SQLITE_${name}`))
    : undefined;
}

const isBusy = (error: unknown): boolean => /^(BUSY|LOCKED)$/.test(codeOf(error) ?? "");

/** The error as this library says it, where it has a code for it. */
function translated(cause: unknown): unknown {
  const code = codeOf(cause);
  if (code === "FULL")
    return new KvError(
      "KV_QUOTA",
      "the disk or the database is full: nothing was written; free disk space, or raise " +
        "max_page_count",
      { cause },
    );
  if (code === "TOOBIG")
    return new KvError(
      "KV_TOO_LARGE",
      "the value is larger than SQLite can hold: nothing was written",
      { cause },
    );
  if (code === "NOTADB" || code === "CORRUPT")
    return new KvError(
      "KV_CORRUPT",
      "the database file is damaged, or is none: it was left as it is",
      { cause },
    );
  return cause;
}

/**
 * How long other processes are waited for, in milliseconds, beyond what the handle's own
 * busy_timeout waits: less than a store's timeout, which would hide the reason.
 */
const PATIENCE = 4500;

async function again<T>(task: () => T, refusal: unknown, end: number): Promise<T> {
  for (let longest = 2; ; longest = Math.min(longest * 1.5, 50)) {
    if (!isBusy(refusal) || Date.now() >= end) throw translated(refusal);
    await randomPause(longest);
    try {
      return task();
    } catch (error) {
      refusal = error;
    }
  }
}

/**
 * Runs a task, again and again while another process is in the way; at once and synchronously when
 * none is. For reads: each waits for itself.
 */
export function retryLocked<T>(task: () => T, end?: number): MaybePromise<T> {
  try {
    return task();
  } catch (error) {
    if (isBusy(error)) return again(task, error, end ?? Date.now() + PATIENCE);
    throw translated(error);
  }
}

/**
 * The writes of one handle: while one waits for another process, those that come later queue behind
 * it, so that they stay in order.
 */
export class WriteQueue {
  #last: Promise<unknown> | null = null;

  /** Runs a task as {@link retryLocked} does. */
  run<T>(task: () => T): MaybePromise<T> {
    const before = this.#last;
    // The wait is limited from now on, however many stand in front.
    const result = before === null ? retryLocked(task) : before.then(this.#late(task));
    if (!(result instanceof Promise)) return result;
    const forget = (): void => {
      if (this.#last === settled) this.#last = null;
    };
    const settled = result.then(forget, forget);
    this.#last = settled;
    return result;
  }

  #late<T>(task: () => T): () => MaybePromise<T> {
    const end = Date.now() + PATIENCE;
    return () => retryLocked(task, end);
  }

  /** Resolves when no write waits. */
  idle(): Promise<unknown> {
    return this.#last ?? Promise.resolve();
  }
}

/** Whether a transaction is open on the handle; `undefined` where it does not tell (old Node). */
export const isInTransaction = (db: SqliteClient): boolean | undefined =>
  db.inTransaction ?? db.isTransaction;

/**
 * All of a task or nothing: a transaction, or a part of the one that its owner has open on the
 * handle.
 */
export function atomically<T>(db: SqliteClient, task: () => T, begin = "BEGIN IMMEDIATE"): T {
  // Where it does not tell: a savepoint outside of a transaction begins one.
  const isFree = isInTransaction(db) === false;
  db.exec(isFree ? begin : "SAVEPOINT anykv");
  try {
    const result = task();
    db.exec(isFree ? "COMMIT" : "RELEASE anykv");
    return result;
  } catch (error) {
    try {
      db.exec(isFree ? "ROLLBACK" : "ROLLBACK TO anykv; RELEASE anykv");
    } catch {
      // SQLite has ended the transaction itself, as it does on a full disk.
    }
    throw error;
  }
}
