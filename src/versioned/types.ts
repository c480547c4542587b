import type { Expires } from "../types.ts";
import type { Key, KeyPart } from "./key.ts";

/** A key that is there: its value, and the version that changes with each write. */
export interface VersionedEntry<T = unknown> {
  key: KeyPart[];
  value: T;
  /** 20 hexadecimal digits. */
  version: string;
}

/** A key that is not there. A stored `null` has a version. */
export interface MissingEntry {
  key: KeyPart[];
  value: null;
  version: null;
}

/** The result of `get()`. */
export type MaybeEntry<T = unknown> = VersionedEntry<T> | MissingEntry;

/** Options of a write. */
export interface VersionedSetOptions {
  /**
   * When the value expires: seconds, a text such as `"1h"`, a `Date`, or `null` for never. Default:
   * the store's.
   */
  expires?: Expires | undefined;
  /**
   * The same in milliseconds from now: a whole number from 0. The name and the unit are those of
   * Deno KV.
   */
  expireIn?: number | undefined;
}

/**
 * Which keys to list: those with more parts than `prefix`, those from `start` (included) to `end`
 * (excluded), or a range under a prefix.
 */
export type Selector =
  | { readonly prefix: Key }
  | { readonly prefix: Key; readonly start: Key }
  | { readonly prefix: Key; readonly end: Key }
  | { readonly start: Key; readonly end: Key };

/** Options of a listing. */
export interface VersionedListOptions {
  /** The most entries: a whole number from 1. Default: all. */
  limit?: number | undefined;
  /** Continues behind the last entry of a listing with the same selector and direction. */
  cursor?: string | undefined;
  /** From the last key to the first. Default `false`. */
  reverse?: boolean | undefined;
  /** How many entries are asked for at once: a whole number from 1 to 1,000. Default 100. */
  batchSize?: number | undefined;
}

/** Options of `listBy()`. */
export type ListByOptions = Pick<VersionedListOptions, "limit" | "cursor" | "reverse">;

/** The entries of a listing, one after the other. */
export interface VersionedList<T> extends AsyncIterableIterator<VersionedEntry<T>> {
  /**
   * Where this listing stands: behind the last entry that it yielded. That of a finished listing
   * goes on with nothing.
   *
   * @throws {KvError} KV_INVALID_CURSOR before the first entry.
   */
  readonly cursor: string;
}

/** The result of `commit()`. A check that fails is no exception. */
export type VersionedCommit = { ok: true; version: string } | { ok: false };

/** A condition: the key still has this version; `null` means that it is absent. */
export interface VersionedCheck {
  readonly key: Key;
  readonly version: string | null;
}

/**
 * Changes that take effect together or not at all. Every method but `commit()` answers with the
 * same object.
 */
export interface VersionedTransaction {
  /**
   * Nothing is written unless each of these keys still has this version. An entry will do.
   *
   * @throws {KvError} KV_INVALID_VALUE for a version that is none.
   */
  check(...checks: readonly VersionedCheck[]): VersionedTransaction;
  /** Sets, with the options and the errors of `set()`, at once. The value is copied. */
  set(key: Key, value: unknown, options?: VersionedSetOptions): VersionedTransaction;
  /** Deletes; an absent key is no error. */
  delete(key: Key): VersionedTransaction;
  /**
   * Adds to a bigint from 0 to 2⁶⁴ − 1; an absent one begins at 0. Sums go on from 0 behind the
   * end. As any write, it takes the deadline away.
   */
  sum(key: Key, by: bigint): VersionedTransaction;
  /** Keeps the smaller of the stored bigint and this one. */
  min(key: Key, value: bigint): VersionedTransaction;
  /** Keeps the larger of the stored bigint and this one. */
  max(key: Key, value: bigint): VersionedTransaction;
  /**
   * Makes all changes in their order if every check holds, and none otherwise. Also
   * `{ ok: false }`: a unique index finds another entry by the same. May be called again.
   *
   * @throws {KvError} KV_INVALID_VALUE when a counter meets something else than a bigint of 64
   * bits, KV_TOO_LARGE for more than 100 checks or 1,000 changes; then nothing is written.
   */
  commit(): Promise<VersionedCommit>;
}

/**
 * How to find entries by something else than their key. The entries of an index are written in the
 * same transaction as the entry.
 *
 * @example
 * import kv from "anykv";
 * import { versioned } from "anykv/versioned";
 *
 * const store = versioned(kv(), {
 *   indexes: {
 *     email: { prefix: ["users"], of: (user) => user.email, unique: true },
 *     team: { prefix: ["users"], of: (user) => user.team },
 *   },
 * });
 * await store.set(["users", "1"], { name: "Ann", email: "ann@example.com", team: "red" });
 * console.log((await store.getBy("email", "ann@example.com")).value.name); // Ann
 * for await (const { key } of store.listBy("team", "red")) console.log(key); // ["users", "1"]
 * const second = store.set(["users", "2"], { email: "ann@example.com" });
 * await second.catch(({ code }) => console.log(code)); // KV_VALIDATION
 */
export interface IndexOptions<T = unknown> {
  /** The keys whose values are indexed: all that have more parts than this one. */
  readonly prefix: Key;
  /**
   * The parts that an entry is found by: one, or several; `null` and `undefined` leave it out. Must
   * depend on the value and the key alone. If it throws, or returns no part of a key, the write
   * rejects with KV_INVALID_VALUE. In TypeScript the type of the value is named here: `of: (user:
   * User) => user.email`.
   */
  of(value: T, key: readonly KeyPart[]): KeyPart | Key | null | undefined;
  /** Whether two entries may not be found by the same. Default `false`. */
  readonly unique?: boolean;
}

/** Options of `watch()`. */
export interface WatchOptions {
  /** Yields also after writes here that have not changed anything. Default `false`. */
  raw?: boolean | undefined;
  /**
   * How often to look at a client that reports no changes, while the stream is read: seconds up to
   * 60, or a string such as `"500ms"`. Default 1. Changes through the same connection arrive
   * immediately.
   */
  interval?: number | string | undefined;
}

/** Options of `reindex()`. */
export interface ReindexOptions {
  /** Called after each entry with how many were looked at. */
  progress?: (done: number) => void;
}
