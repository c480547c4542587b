import { DatabaseSync } from "node:sqlite";
import Database from "better-sqlite3";

/** What both drivers offer the tests. */
export interface Handle {
  prepare(sql: string): {
    get(...parameters: unknown[]): unknown;
    all(...parameters: unknown[]): unknown[];
    run(...parameters: unknown[]): { changes: number | bigint };
    iterate(...parameters: unknown[]): Iterable<unknown>;
  };
  exec(sql: string): unknown;
  close(): unknown;
}

/** Opens a database with each of the drivers. Neither waits by itself for a lock of others. */
export const DRIVERS: { readonly [name: string]: (path: string) => Handle } = {
  "better-sqlite3": (path) => new Database(path, { timeout: 0 }),
  "node:sqlite": (path) => new DatabaseSync(path) as never,
};
