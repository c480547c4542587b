import type { Store } from "../api.ts";
import type { AsyncUsingDisposable } from "../disposable.ts";

/** How a value is read: as the text of its UTF-8 (the default), parsed as JSON, as its bytes, or as a stream of them. */
export type ValueType = "text" | "json" | "arrayBuffer" | "stream";

/** What can be put. Objects are kept as their JSON; numbers and booleans as their text. */
export type PutValue = string | ArrayBuffer | ArrayBufferView | ReadableStream | number | boolean | object;

/** Options of a read. */
export interface GetOptions<Type extends ValueType = ValueType> {
  /** Default `"text"`. */
  type?: Type | undefined;
  /** Seconds from 30, for programs that are written for Workers KV: nothing is cached here. */
  cacheTtl?: number | undefined;
}

/** The type itself, or options with it. */
export type AsType<Type extends ValueType> = Type | (GetOptions<Type> & { type: Type });

/** Options of `put()`. What is not given is none: a rewrite replaces value, deadline and metadata together. */
export interface PutOptions {
  /** The deadline in whole seconds since 1970. One that has passed deletes. `null` for none. */
  expiration?: number | null | undefined;
  /** Whole seconds from now; 0 deletes. Given both, `expiration` counts (with `compat: "workers"` this one). `null` for none. */
  expirationTtl?: number | null | undefined;
  /** JSON of up to 1,024 bytes to keep beside the value; listings show it. `null` for none. */
  metadata?: unknown;
}

/** A value and what is known about it: all `null` when the key is absent or expired. */
export interface ValueWithMetadata<Value = string, Metadata = unknown> {
  value: Value | null;
  metadata: Metadata | null;
  /** The deadline in seconds since 1970; `null` for never. */
  expiration: number | null;
  /** Always `null`: Workers KV tells here whether it answered from a cache. */
  cacheStatus: null;
}

/** A key of a listing. */
export interface ListedKey<Metadata = unknown> {
  name: string;
  /** The deadline in seconds since 1970; absent for never. */
  expiration?: number;
  /** Absent when there is none. */
  metadata?: Metadata;
}

/** A page of keys, ordered by their UTF-8 bytes. `cursor` is where the next one goes on; it is absent on the last. */
export type KeyPage<Metadata = unknown> =
  | { keys: ListedKey<Metadata>[]; list_complete: false; cursor: string; cacheStatus: null }
  | { keys: ListedKey<Metadata>[]; list_complete: true; cursor?: never; cacheStatus: null };

/** Options of `list()` of a namespace. */
export interface ListKeysOptions {
  /** Only keys that start with this literal text. Default `""`. */
  prefix?: string | null | undefined;
  /** The most keys of a page, 1 to 1,000. Default 1,000. */
  limit?: number | null | undefined;
  /** The `cursor` of the page before. Default: from the start. */
  cursor?: string | null | undefined;
}

/** Options of a namespace. */
export interface NamespaceOptions {
  /**
   * `"workers"`: exactly as Workers KV: deadlines are at least 60 seconds away, `expirationTtl` wins over `expiration`, only texts, bytes and streams are taken, and errors are the ones it has
   * (`Error` and `TypeError`, with a `code` of this library). Default: the rules of this library.
   */
  compat?: "workers" | undefined;
}

export interface Namespace extends AsyncUsingDisposable {
  get(key: string, type?: AsType<"text"> | GetOptions<never>): Promise<string | null>;
  get<Value = unknown>(key: string, type: AsType<"json"> | undefined): Promise<Value | null>;
  get(key: string, type: AsType<"arrayBuffer"> | undefined): Promise<ArrayBuffer | null>;
  get<Stream = ReadableStream<Uint8Array>>(key: string, type: AsType<"stream"> | undefined): Promise<Stream | null>;
  get(keys: readonly string[], type?: AsType<"text"> | GetOptions<never>): Promise<Map<string, string | null>>;
  get<Value = unknown>(keys: readonly string[], type: AsType<"json"> | undefined): Promise<Map<string, Value | null>>;

  getWithMetadata<Metadata = unknown>(key: string, type?: AsType<"text"> | GetOptions<never>): Promise<ValueWithMetadata<string, Metadata>>;
  getWithMetadata<Value = unknown, Metadata = unknown>(key: string, type: AsType<"json"> | undefined): Promise<ValueWithMetadata<Value, Metadata>>;
  getWithMetadata<Metadata = unknown>(key: string, type: AsType<"arrayBuffer"> | undefined): Promise<ValueWithMetadata<ArrayBuffer, Metadata>>;
  getWithMetadata<Metadata = unknown, Stream = ReadableStream<Uint8Array>>(key: string, type: AsType<"stream"> | undefined): Promise<ValueWithMetadata<Stream, Metadata>>;
  getWithMetadata<Metadata = unknown>(keys: readonly string[], type?: AsType<"text"> | GetOptions<never>): Promise<Map<string, ValueWithMetadata<string, Metadata>>>;
  getWithMetadata<Value = unknown, Metadata = unknown>(keys: readonly string[], type: AsType<"json"> | undefined): Promise<Map<string, ValueWithMetadata<Value, Metadata>>>;

  put(key: string, value: PutValue, options?: PutOptions): Promise<void>;
  delete(key: string): Promise<void>;
  list<Metadata = unknown>(options?: ListKeysOptions): Promise<KeyPage<Metadata>>;
  /** Ends the connection of the store, for everything over it. Operations after it are KV_CLOSED. */
  close(): Promise<void>;
}

/** Options of {@link createKV}. */
export interface KVOptions extends NamespaceOptions {
  /** Where everything is kept. Default: SQLite in `dataDir` where the runtime has it, else memory. */
  store?: Store;
  /** The folder of `kv.db`. Default `".anykv/data"` under the working directory. */
  dataDir?: string;
}

/** Namespaces by their names, all in one place. */
export interface KVNamespaces extends AsyncUsingDisposable {
  /** The namespace of this name: any text. It needs no creation. */
  namespace(name: string): Namespace;
  /** What keeps the data: `"SQLITE"`, `"MEMORY"`, or the `type` of the store that was given. */
  readonly storage: string;
  /** Ends the connection, for all namespaces. */
  close(): Promise<void>;
}
