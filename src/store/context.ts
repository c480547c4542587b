import type {
  Codec,
  CommitCheck,
  CommitWrite,
  Entry,
  EntryPage,
  ListOptions,
  SetOptions,
} from "../api.ts";
import type { Connection } from "./connection.ts";
import type { Scope } from "../concurrency/lanes.ts";
import type { Order } from "../concurrency/order.ts";
import type { StoredRecord } from "../record/record.ts";
import type { CommitResult, Expires, Json, MaybePromise } from "../types.ts";
import type { KvRecord } from "../record/types.ts";
import type { Adapter } from "../clients/adapter.ts";

/** What a store is made of. */
export interface StoreContext {
  readonly connection: Connection;
  readonly prefix: string;
  readonly expires: Expires;
  readonly codec: Codec | undefined;
  /** How many milliseconds each request to the client may take; `Infinity` for any time. */
  readonly timeout: number;
  /** The call order inside an operation of several steps; that of the connection elsewhere. */
  readonly order?: Order;
  /**
   * Of a promise: records that are written without an expiry, for the default of the store that it
   * may settle to.
   */
  readonly undated?: WeakSet<KvRecord> | undefined;
}

/** The operations on single keys. */
export interface ItemOperations {
  get(key: string): Promise<unknown>;
  set(key: string, value: unknown, options?: SetOptions): Promise<string>;
  has(key: string): Promise<boolean>;
  del(key: string): Promise<string>;
}

/** What all operations of a store share: its checks, and the ways to single records. */
export interface StoreCore extends Omit<StoreContext, "order">, ItemOperations {
  decode(value: Json, key: string): never;
  /** The full key. `inner` is the prefix that came as an option. */
  locate(key: unknown, inner?: string): string;
  /** A fresh version for a write. */
  stamp(): string | number;
  /** The record to write, `null` to delete. Its value is a copy of the caller's. */
  recordOf(
    key: string,
    value: unknown,
    options: SetOptions | undefined,
    version: string | number,
  ): StoredRecord | null;
  /** Removes a record that a reader found expired, and answers for it. */
  expired(key: string, record: KvRecord): Promise<null>;
  /** The record if it is present and fresh, in call order. */
  read(key: string): MaybePromise<KvRecord | null>;
  /** The record as it is stored, fresh or not: at once, for work that has its turn. */
  readNow(key: string, adapter: Adapter): MaybePromise<KvRecord | null>;
  /**
   * Writes at once, or deletes for `null`, for work that has its turn. Answers with a promise when
   * that takes time.
   */
  writeNow(key: string, record: KvRecord | null, adapter: Adapter): Promise<void> | undefined;
  /**
   * Runs work on these keys in call order, with the adapter. The work may take the timeout so many
   * times; `calls` is for work of one call of the adapter, on one key or on several.
   */
  perform<T>(
    scope: Scope,
    work: (adapter: Adapter) => MaybePromise<T>,
    times?: number,
    calls?: "item" | "one",
  ): MaybePromise<T>;
  order(): Order;
  /** Counts writes; answers with a promise when a sweep is due. */
  wrote(count: number): Promise<void> | undefined;
  /** Throws the error as users get it. */
  refuse(error: unknown, key?: unknown, action?: string): never;
}

/**
 * The operations of a store beyond reading and writing a single value. Those over the whole store
 * reject any argument.
 */
export interface Operations extends ItemOperations {
  add(value: unknown, options?: SetOptions): Promise<string>;
  getMany(keys: Iterable<string>): Promise<unknown[]>;
  setMany(
    entries: Iterable<readonly [string, unknown, SetOptions?]>,
    options?: SetOptions,
  ): Promise<string[]>;
  delMany(keys: Iterable<string>): Promise<string[]>;
  entry(key: string): Promise<Entry<unknown> | null>;
  touch(key: string, expires: Expires): Promise<boolean>;
  keys(...args: unknown[]): Promise<string[]>;
  values(...args: unknown[]): Promise<unknown[]>;
  entries(...args: unknown[]): Promise<[string, unknown][]>;
  all(filter?: string): Promise<{ [key: string]: unknown }>;
  list(options?: ListOptions): Promise<EntryPage<unknown>>;
  iterate(...args: unknown[]): AsyncGenerator<[string, never], void, undefined>;
  commit(checks: Iterable<CommitCheck>, writes: Iterable<CommitWrite>): Promise<CommitResult>;
  clear(...args: unknown[]): Promise<void>;
  prune(...args: unknown[]): Promise<number>;
}
