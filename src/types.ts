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

/** The compile-time error for a literal that is no duration. */
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
 * A failed check is a result, not an exception: `failed` names the keys. `version` is that of the
 * records written.
 */
export type CommitResult = { ok: true; version: string } | { ok: false; failed: string[] };

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

/** The capabilities of a client. Every store shows them as `store.supports`. */
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
  /**
   * How `watch()` learns of changes that others make: the client reports them (`"native"`), or it
   * is looked at in intervals (`"polled"`). Default `"polled"`.
   */
  readonly watch: "native" | "polled";
}

/**
 * Capabilities that a client must have at least: `true`, a word (`"yes"` is more than `"process"`,
 * and that more than `"no"`; `"native"` is more than `"layered"`) or a number.
 */
export type Requires = { readonly [Name in keyof Supports]?: Supports[Name] | undefined };

/**
 * The members for `using`, for programs whose TypeScript knows it (`lib` with "esnext.disposable").
 * Others get none: the names of these symbols would not compile there.
 */
export type UsingDisposable = SymbolConstructor extends {
  readonly dispose: infer Name extends symbol;
}
  ? { [K in Name]: () => void }
  : object;

/** The same for `await using`. */
export type AsyncUsingDisposable = SymbolConstructor extends {
  readonly asyncDispose: infer Name extends symbol;
}
  ? { [K in Name]: () => Promise<void> }
  : object;
