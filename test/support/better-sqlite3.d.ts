// The package has no types of its own: what the tests use of it.
declare module "better-sqlite3" {
  interface Statement {
    get(...parameters: unknown[]): unknown;
    all(...parameters: unknown[]): unknown[];
    run(...parameters: unknown[]): { changes: number };
    iterate(...parameters: unknown[]): IterableIterator<unknown>;
  }
  export default class Database {
    constructor(path: string, options?: { timeout?: number; readonly?: boolean });
    readonly inTransaction: boolean;
    prepare(sql: string): Statement;
    exec(sql: string): this;
    defaultSafeIntegers(on?: boolean): this;
    close(): this;
  }
}
