import type { Store } from "../api.ts";
import type { AsyncUsingDisposable } from "../types.ts";

/**
 * How a value is read: as the text of its UTF-8 (the default), parsed as JSON, as its bytes, or as
 * a stream of them.
 */
export type ValueType = "text" | "json" | "arrayBuffer" | "stream";

/** A value for `put()`. Objects are kept as their JSON; numbers and booleans as their text. */
export type PutValue =
  | string
  | ArrayBuffer
  | ArrayBufferView
  | ReadableStream
  | number
  | boolean
  | object;

/** Options of a read. */
export interface GetOptions<Type extends ValueType = ValueType> {
  /** Default `"text"`. */
  type?: Type | undefined;
  /** Seconds from 30, for programs that are written for Workers KV: nothing is cached here. */
  cacheTtl?: number | undefined;
}

/** The type itself, or options with it. */
export type AsType<Type extends ValueType> = Type | (GetOptions<Type> & { type: Type });

/**
 * Options of `put()`. A rewrite replaces value, deadline and metadata together: without a deadline
 * it has the store's own (`kv(client, { expires })`), which is none by default.
 */
export interface PutOptions {
  /**
   * The deadline in whole seconds since 1970. One that has passed deletes. `null` for none,
   * whatever the store's own.
   */
  expiration?: number | null | undefined;
  /**
   * Whole seconds from the beginning of this one; 0 deletes. Given both, `expiration` counts (with
   * `compat: "workers"` this one). `null` as above.
   */
  expirationTtl?: number | null | undefined;
  /** JSON of up to 1,024 bytes to keep beside the value; listings show it. `null` for none. */
  metadata?: unknown;
}

/** A value and its properties: all `null` when the key is absent or expired. */
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

/**
 * A page of keys, ordered by their UTF-8 bytes. `cursor` is where the next one goes on; it is
 * absent on the last.
 */
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
   * `"workers"`: the rules of Workers KV to the letter. Deadlines are at least 60 seconds away,
   * `expirationTtl` wins over `expiration`, no objects are taken, arguments are converted instead
   * of refused, and errors are those of a binding (`Error`, `TypeError`, `SyntaxError`; with a
   * `code` of this library that is not enumerable). Default: the rules of this library.
   */
  compat?: "workers" | undefined;
}

/**
 * Keys and values with metadata and deadlines in seconds: the API of Workers KV. It satisfies the
 * type `KVNamespace` of `@cloudflare/workers-types`.
 *
 * Keys are well-formed texts of 1 to 512 bytes of UTF-8, but for `"."` and `".."`. All methods
 * reject, and none throws: KV_INVALID_KEY and KV_TOO_LARGE for keys, KV_CONNECTION when the client
 * fails, KV_CLOSED after `close()`; further codes are told with each. They work detached.
 */
export interface Namespace extends AsyncUsingDisposable {
  /**
   * The value of a key as `"text"` (the default), `"json"`, `"arrayBuffer"` or `"stream"`; `null`
   * when it is absent or expired. Given up to 100 keys, a Map with an entry for each, in their
   * order, as text or JSON.
   *
   * @throws {KvError} KV_INVALID_VALUE for a value that is no JSON, an unknown type or a `cacheTtl`
   * below 30, KV_CORRUPT for a damaged record, KV_FOREIGN for an item that this library did not
   * write.
   * @example
   * import kv from "anykv";
   * import { namespace } from "anykv/namespace";
   *
   * const settings = namespace(kv(new Map()), "settings");
   * await settings.put("theme", "dark");
   * await settings.put("limits", { perDay: 5 });
   * console.log(await settings.get("theme"), await settings.get("missing")); // dark null
   * console.log(await settings.get("limits", "json")); // { perDay: 5 }
   * console.log([...(await settings.get(["limits", "theme"])).keys()]); // ["limits", "theme"]
   */
  get(key: string, type?: AsType<"text"> | GetOptions<never>): Promise<string | null>;
  get<Value = unknown>(key: string, type: AsType<"json"> | undefined): Promise<Value | null>;
  get(key: string, type: AsType<"arrayBuffer"> | undefined): Promise<ArrayBuffer | null>;
  get<Stream = ReadableStream<Uint8Array>>(
    key: string,
    type: AsType<"stream"> | undefined,
  ): Promise<Stream | null>;
  get(
    keys: readonly string[],
    type?: AsType<"text"> | GetOptions<never>,
  ): Promise<Map<string, string | null>>;
  get<Value = unknown>(
    keys: readonly string[],
    type: AsType<"json"> | undefined,
  ): Promise<Map<string, Value | null>>;

  /**
   * The same with metadata and deadline, as one write has left them together. A missing value is
   * `null` in all of them. With `compat: "workers"` many keys have items `{ value, metadata }`, and
   * `null` where there is none, as in Workers KV.
   *
   * @throws {KvError} as `get()`.
   * @example
   * import kv from "anykv";
   * import { namespace } from "anykv/namespace";
   *
   * const files = namespace(kv(new Map()), "files");
   * const options = { metadata: { by: "ann" }, expiration: 32503680000 };
   * await files.put("a.bin", new Uint8Array([1, 2]), options);
   * const { value, metadata, expiration } = await files.getWithMetadata("a.bin", "arrayBuffer");
   * console.log(value.byteLength, metadata, expiration); // 2 {"by":"ann"} 32503680000
   */
  getWithMetadata<Metadata = unknown>(
    key: string,
    type?: AsType<"text"> | GetOptions<never>,
  ): Promise<ValueWithMetadata<string, Metadata>>;
  getWithMetadata<Value = unknown, Metadata = unknown>(
    key: string,
    type: AsType<"json"> | undefined,
  ): Promise<ValueWithMetadata<Value, Metadata>>;
  getWithMetadata<Metadata = unknown>(
    key: string,
    type: AsType<"arrayBuffer"> | undefined,
  ): Promise<ValueWithMetadata<ArrayBuffer, Metadata>>;
  getWithMetadata<Metadata = unknown, Stream = ReadableStream<Uint8Array>>(
    key: string,
    type: AsType<"stream"> | undefined,
  ): Promise<ValueWithMetadata<Stream, Metadata>>;
  getWithMetadata<Metadata = unknown>(
    keys: readonly string[],
    type?: AsType<"text"> | GetOptions<never>,
  ): Promise<Map<string, ValueWithMetadata<string, Metadata>>>;
  getWithMetadata<Value = unknown, Metadata = unknown>(
    keys: readonly string[],
    type: AsType<"json"> | undefined,
  ): Promise<Map<string, ValueWithMetadata<Value, Metadata>>>;

  /**
   * Keeps a value of up to 25 MiB: a text, bytes (a buffer, the part of it that a view shows, or a
   * stream), or JSON of anything else that JSON has. A rewrite replaces value, metadata and
   * deadline together. A stream that fails, or is too long, stores nothing.
   *
   * @throws {KvError} KV_INVALID_VALUE for a value that cannot be kept, KV_INVALID_EXPIRES for
   * deadlines that are no whole seconds and options that are no object, KV_TOO_LARGE, KV_QUOTA; the
   * old value is kept.
   * @example
   * import kv from "anykv";
   * import { namespace } from "anykv/namespace";
   *
   * const cache = namespace(kv(new Map()), "cache");
   * await cache.put("posts:all", [{ id: 1 }], { expirationTtl: 300, metadata: { version: 1 } });
   * console.log(await cache.get("posts:all")); // '[{"id":1}]'
   */
  put(key: string, value: PutValue, options?: PutOptions): Promise<void>;

  /** Deletes a key; a missing one is no error. */
  delete(key: string): Promise<void>;

  /**
   * A page of keys with their deadlines and metadata, ordered by their UTF-8 bytes. Reads no
   * values. Expired keys are left out: a page is full as long as there are more keys. Costs one
   * page where `supports.order` of the store, elsewhere one pass over the keys with the prefix.
   *
   * A cursor survives a restart, other limits and the deletion of the key that it stands on.
   *
   * @throws {KvError} KV_INVALID_CURSOR for the cursor of another namespace or prefix,
   * KV_INVALID_VALUE for a limit or options that are none.
   * @example
   * import kv from "anykv";
   * import { namespace } from "anykv/namespace";
   *
   * const users = namespace(kv(new Map()), "users");
   * for (const name of ["ann", "bob", "eve"]) await users.put(`user:${name}`, name);
   * const page = await users.list({ prefix: "user:", limit: 2 });
   * console.log(page.keys, page.list_complete); // [{"name":"user:ann"},{"name":"user:bob"}] false
   * const rest = await users.list({ prefix: "user:", cursor: page.cursor });
   * console.log(rest.keys, rest.list_complete); // [{"name":"user:eve"}] true
   */
  list<Metadata = unknown>(options?: ListKeysOptions): Promise<KeyPage<Metadata>>;

  /** Ends the connection of the store, for everything over it. A second call does nothing. */
  close(): Promise<void>;
}

/** Options of {@link createKV}. */
export interface KVOptions extends NamespaceOptions {
  /**
   * Where everything is kept. Default: SQLite in `dataDir` where the runtime has it, else memory.
   */
  store?: Store;
  /** The folder of `kv.db`. Default `".anykv/data"` under the working directory. */
  dataDir?: string;
}

/** Namespaces by their names, all in one place. */
export interface KVNamespaces extends AsyncUsingDisposable {
  /** The namespace of this name: any text. It needs no creation. */
  namespace(name: string): Namespace;
  /** Where the data is: `"SQLITE"`, `"MEMORY"`, or the `type` of the store that was given. */
  readonly storage: string;
  /** Ends the connection, for all namespaces. */
  close(): Promise<void>;
}
