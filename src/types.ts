/** A value that every client can keep: the JSON data model (RFC 8259). */
export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

/** Either a value or a promise of it: adapters may answer at once. */
export type MaybePromise<T> = T | Promise<T>;

/**
 * When a value expires: a number of **seconds** (`0.1` is 100 ms; below 1e9), a string such as
 * `"10s"`, `"2 minutes"` or `"1h30m"` (a bare number in a string is seconds), a `Date` as the
 * moment itself, or `null` for never.
 *
 * Zero, a negative number and a moment that has passed mean "expired already", which deletes.
 */
export type Expires = number | string | Date | null;

type Unit =
  | "ms"
  | "millisecond"
  | "milliseconds"
  | "s"
  | "sec"
  | "secs"
  | "second"
  | "seconds"
  | "m"
  | "min"
  | "mins"
  | "minute"
  | "minutes"
  | "h"
  | "hr"
  | "hrs"
  | "hour"
  | "hours"
  | "d"
  | "day"
  | "days"
  | "w"
  | "wk"
  | "wks"
  | "week"
  | "weeks"
  | "b"
  | "month"
  | "months"
  | "y"
  | "yr"
  | "yrs"
  | "year"
  | "years";

type Space = "" | " ";

/** A string in lower case, without the `_` and `,` between digits. */
type Plain<S extends string> = S extends `${infer A}_${infer B}`
  ? Plain<`${A}${B}`>
  : S extends `${infer A},${infer B}`
    ? Plain<`${A}${B}`>
    : Lowercase<S>;

/** Whether a string is made of numbers that all have a unit. */
type HasUnits<S extends string> = S extends `${number}${Space}${Unit}`
  ? true
  : S extends `${number}${Space}${Unit}${Space}${infer Rest}`
    ? HasUnits<Rest>
    : false;

// An upper-case M alone could be a month or a minute.
type IsDuration<S extends string> = S extends `${string}M`
  ? false
  : Plain<S> extends `${number}`
    ? true
    : true extends HasUnits<Plain<S>>
      ? true
      : false;

/** What the type-checker says of a literal that is no duration. */
export interface NotADuration {
  'a duration is a string such as "10s", "2 minutes" or "1h30m"': never;
}

/**
 * `S` itself, with {@link NotADuration} in place of a literal that cannot be read as a duration,
 * such as `"10 minuts"`. A `string` that is only known at run time is checked then.
 */
export type Duration<S extends string> =
  {} extends Record<S, 1>
    ? S
    : S extends S
      ? IsDuration<S> extends true
        ? S
        : NotADuration
      : never;

/**
 * What an adapter keeps for one key.
 *
 * `version` is 20 lower-case hexadecimal digits, a compact stamp that `versionOf()` turns into
 * those digits (only in clients that do not outlive the process), or `null` where the client keeps
 * bare values.
 */
export interface KvRecord {
  /** A `Uint8Array` too where `supports.bytes`: from the namespace face alone, stores take JSON. */
  readonly value: Json;
  /** The deadline in milliseconds since 1970, or `null` for never. */
  readonly expires: number | null;
  readonly version: string | number | null;
  readonly metadata: Json;
}

/** One change: the record to keep under a full key, or `null` to delete it. */
export interface Write {
  readonly key: string;
  readonly record: KvRecord | null;
}

/** A condition: the key still has this version; `null` means that it is absent or expired. */
export interface Check {
  readonly key: string;
  readonly version: string | null;
}

/**
 * A failed check is a result, not an exception: `failed` names the keys. `version` is that of the
 * records written.
 */
export type CommitResult = { ok: true; version: string } | { ok: false; failed: string[] };

/** One page of an ordered client. */
export interface PageQuery {
  /** Only keys that start with this literal text. */
  readonly prefix: string;
  /** Start behind this key (before it when `reverse`); `null` starts at the end of the range. */
  readonly after: string | null;
  /** Look at no more than this many records. */
  readonly limit: number;
  readonly reverse: boolean;
  /** `false`: the values are not needed, and may be left `null`. */
  readonly values: boolean;
}

/**
 * Records in key order (UTF-8 bytes), and where the next page starts (`after`), or `null` on the
 * last one.
 */
export interface Page {
  readonly entries: (readonly [key: string, record: KvRecord])[];
  readonly next: string | null;
}

/** How a bounded sweep is asked for. */
export interface PruneQuery {
  /** Only keys that start with this literal text. */
  readonly prefix: string;
  /** Records with a deadline at or before this moment (epoch milliseconds) go. */
  readonly now: number;
  /**
   * Look at (or remove) no more than this many records and go on from there next time; `Infinity`
   * for all.
   */
  readonly limit: number;
}

/**
 * The kinds of clients, as `store.type` shows them. A client of one's own may have another name.
 */
export type StoreType =
  | "MEMORY"
  | "STORAGE"
  | "COOKIE"
  | "FORAGE"
  | "INDEXEDDB"
  | "FILE"
  | "FOLDER"
  | "HTTP"
  | "LEVEL"
  | "SQLITE"
  | "POSTGRES"
  | "REDIS"
  | "ETCD"
  | "CLOUDFLARE"
  | "DENO"
  | "LRU"
  | "KEYV"
  | "UNSTORAGE"
  | "CUSTOM"
  | "PENDING";

/** What a client can do. Every store shows it as `store.supports`. */
export interface Supports {
  /**
   * Who drops expired records: the client itself (`"native"`), or this library (`"layered"`).
   * Default `"layered"`.
   */
  readonly expires: "native" | "layered";
  /**
   * Whether the client lists its keys in order by itself, so that `list()` costs one page. Default
   * `false`.
   */
  readonly order: boolean;
  /**
   * How far `commit()` holds: across processes (`"yes"`), among the stores of this process
   * (`"process"`), or not offered (`"no"`). Default `"no"`.
   */
  readonly atomic: "yes" | "process" | "no";
  /** The longest key, prefix included, in UTF-8 bytes. Default `Infinity`; never below 512. */
  readonly keyBytes: number;
  /** The largest record in bytes, where the client has a limit of its own. Default `Infinity`. */
  readonly valueBytes: number;
  /** Whether the data is still there in the next process. Default `true`. */
  readonly persistent: boolean;
  /** Whether the keys can be listed at all. Default `true`. */
  readonly iterate: boolean;
  /**
   * Whether the bytes of namespaces are kept as they are; elsewhere they are base64, a third
   * longer. Default `false`.
   */
  readonly bytes: boolean;
}

/**
 * Capabilities that a client must have at least: `true`, a word (`"yes"` is more than `"process"`,
 * and that more than `"no"`; `"native"` is more than `"layered"`) or a number.
 */
export type Requires = { readonly [Name in keyof Supports]?: Supports[Name] | undefined };

/** Where a structure is, and what becomes of its deadline. */
export interface StructurePlace {
  readonly key: string;
  /** The deadline from now on, `null` for never; `undefined` leaves it as it is. */
  readonly expires: number | null | undefined;
  /** The deadline of one that begins with this call, where `expires` says nothing. */
  readonly initial: number | null;
}

/**
 * One kind of client behind the contract that every store is built on. An adapter receives full
 * keys, checked records and absolute deadlines; it never parses durations, adds prefixes, judges
 * freshness or validates values.
 *
 * Each method may answer at once or with a native promise. A record that it returns belongs to the
 * caller: changing its value must not change the client.
 */
export interface Adapter {
  /**
   * The record as it stands, also when its deadline has passed; `null` when there is none.
   *
   * @throws {KvError} KV_FOREIGN for an item that is not a record of ours, KV_CORRUPT for a damaged
   * one.
   */
  get(key: string): MaybePromise<KvRecord | null>;
  set(key: string, record: KvRecord): MaybePromise<void>;
  /** Deletes; a missing key is no error. */
  del(key: string): MaybePromise<void>;

  /**
   * Ordered clients: one page. Foreign items are left out. Either this or `iterate` is needed to
   * list.
   */
  page?(query: PageQuery): MaybePromise<Page>;
  /**
   * Clients without an order: every record once, also those that have expired. Foreign items are
   * left out. A `null` in between says that the client answers, where it may have to look through
   * much without finding anything; what came before it is handed on, so that large values do not
   * pile up.
   */
  iterate?(
    prefix: string,
    values: boolean,
  ):
    | Iterable<readonly [string, KvRecord] | null>
    | AsyncIterable<readonly [string, KvRecord] | null>;

  /**
   * What takes effect in call order by itself, also while earlier calls are pending: `"all"` calls,
   * as on one connection that sends commands one behind the other, or the `"writes"`. Default:
   * nothing. The store then waits for earlier calls on the same key.
   */
  readonly inOrder?: "all" | "writes" | undefined;

  // Optional, where the client can do better than the methods above.
  has?(key: string, now: number): MaybePromise<boolean>;
  getMany?(keys: readonly string[]): MaybePromise<(KvRecord | null)[]>;
  setMany?(writes: readonly Write[]): MaybePromise<void>;
  /**
   * Removes every record of ours whose key is longer than the prefix and starts with it, expired
   * ones too, and nothing else.
   */
  clear?(prefix: string): MaybePromise<void>;
  /** Removes expired records and says how many. */
  prune?(query: PruneQuery): MaybePromise<number>;
  /** All writes or none; `now` decides which records count as expired, hence absent. */
  commit?(
    checks: readonly Check[],
    writes: readonly Write[],
    now: number,
  ): MaybePromise<CommitResult>;
  close?(): MaybePromise<void>;

  // Only clients that judge freshness themselves (`expires: "native"`) offer the following.
  /** Moves the deadline; `false` when the key is absent. */
  touch?(key: string, expires: number | null): MaybePromise<boolean>;
  /** Chooses a key under the prefix itself and says what the caller of `store.add()` gets. */
  add?(prefix: string, record: KvRecord): MaybePromise<string>;
  /** The full keys, the values and the pairs that are present under a prefix. */
  keys?(prefix: string): MaybePromise<string[]>;
  values?(prefix: string): MaybePromise<Json[]>;
  entries?(prefix: string): MaybePromise<(readonly [string, KvRecord])[]>;

  // Only clients that have collections of their own offer the following; both go together.
  /**
   * Reads or changes a number or a collection in one step, in the client's own types: `name` and
   * `args` are those of `StructureCalls`.
   *
   * @throws {KvError} KV_FOREIGN when something of another type is there.
   */
  structure?(
    name: string,
    place: StructurePlace,
    ...args: readonly unknown[]
  ): MaybePromise<unknown>;
  /** Every key under a prefix once, whatever is kept there: as `iterate` without values. */
  names?(
    prefix: string,
  ):
    | Iterable<readonly [string, KvRecord] | null>
    | AsyncIterable<readonly [string, KvRecord] | null>;
}

/**
 * The part of an adapter that reads and writes single records, for a client that answers at once.
 */
export interface QuickItems {
  get(key: string): KvRecord | null;
  set(key: string, record: KvRecord): void;
  del(key: string): void;
}
