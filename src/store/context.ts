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
import type { Order } from "../concurrency/order.ts";
import type { CommitResult, Expires } from "../types.ts";
import type { KvRecord } from "../record/types.ts";
import type { Tracer } from "./tracer.ts";

/** The connection of a store, and the options that it was made with. */
export interface StoreContext {
  readonly connection: Connection;
  readonly prefix: string;
  readonly expires: Expires;
  readonly codec: Codec | undefined;
  /** How many milliseconds each request to the client may take; `Infinity` for any time. */
  readonly timeout: number;
  /** The call order inside an operation of several steps. Default: the order of the connection. */
  readonly order?: Order;
  /**
   * On a client that is a promise: the records that are written without an expiry. They get the
   * default of the store that the promise may settle to.
   */
  readonly undated?: WeakSet<KvRecord> | undefined;
  /** Reports the calls of stores with this context. */
  readonly tracer?: Tracer | undefined;
}

/** The operations of a store. Operations on the whole store reject any argument. */
export interface Operations {
  get(key: string): Promise<unknown>;
  set(key: string, value: unknown, options?: SetOptions): Promise<string>;
  has(key: string): Promise<boolean>;
  del(key: string): Promise<string>;
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
