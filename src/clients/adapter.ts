import type { Check, KvRecord, Write } from "../record/types.ts";
import type { CommitResult, Json, MaybePromise } from "../types.ts";

/**
 * A page ends early after about this many characters of records, so that large values do not pile
 * up.
 */
export const PAGE_LENGTH = 1_000_000;

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

/** Some records of a client without an order. */
export interface WalkQuery {
  /** Only keys that start with this literal text. */
  readonly prefix: string;
  /** The `next` of another call; `null` starts. */
  readonly from: string | null;
  /** Answer with no more than this many records. */
  readonly limit: number;
}

/** Records in any order, and where to go on (`from`), or `null` when all were passed. */
export interface Walk {
  readonly entries: readonly (readonly [key: string, record: KvRecord])[];
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

/** The key of a structure, and the change of its deadline. */
export interface StructurePlace {
  readonly key: string;
  /** The deadline from now on, `null` for never; `undefined` leaves it as it is. */
  readonly expires: number | null | undefined;
  /** The deadline of one that begins with this call, where `expires` says nothing. */
  readonly initial: number | null;
}

/** How a number is added to in one step. */
export interface CountRules {
  /** Records with a deadline at or before this moment (epoch milliseconds) count as absent. */
  readonly now: number;
  /** A sum outside of these two is refused, and nothing is written. */
  readonly min: number;
  readonly max: number;
  /**
   * Counts in a window: the sum is never below 0, a number that is not above 0 starts no window,
   * and one without a deadline gets one. The count that passes `max` moves the deadline to
   * `blockedUntil`, unless that is `null`.
   */
  readonly window?: { readonly max: number; readonly blockedUntil: number | null } | undefined;
}

/** A number after something was added to it, and its deadline. */
export interface Counted {
  readonly count: number;
  readonly expires: number | null;
}

/** Where a client reports changes to. */
export interface Feed {
  /** These full keys may have changed: by anyone, or because their deadline has passed. */
  changed(keys: readonly string[]): void;
  /** Any key may have changed, such as while the connection was lost. */
  unknown(): void;
  /** No more changes are reported: the connection was lost. The store subscribes again. */
  lost(error: unknown): void;
}

/** What a feed has to cover, as literal prefixes of full keys; none of them contains another. */
export type Coverage = readonly string[];

/** A subscription to the changes of a client. */
export interface Subscription {
  /**
   * Reports the changes under these prefixes from now on. A client that reports every change
   * leaves it out.
   */
  cover?(prefixes: Coverage): MaybePromise<void>;
  /** Ends the subscription and everything that it holds. */
  close(): MaybePromise<void>;
}

/**
 * One kind of client behind the contract that every store is built on. An adapter receives full
 * keys, checked records and absolute deadlines; it never parses durations, adds prefixes, judges
 * freshness or validates values.
 *
 * Each method may answer at once or with a native promise. A record that it returns belongs to the
 * caller: changing its value must not change the client.
 */
export interface Adapter extends OrUndefined<AdapterMembers> {}

/** The same type, whose optional members may also be present with the value `undefined`. */
type OrUndefined<T> = {
  [Name in keyof T]: object extends Pick<T, Name> ? T[Name] | undefined : T[Name];
};

interface AdapterMembers {
  /**
   * The stored record, also when its deadline has passed; `null` when there is none.
   *
   * @throws {KvError} KV_FOREIGN for an item that anykv did not write, KV_CORRUPT for a damaged
   * record.
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
   * Clients without an order that make one when it is asked for: one page, `null` while there is no
   * order yet. Listings that need no order use `iterate`.
   */
  seek?(query: PageQuery): MaybePromise<Page | null>;
  /**
   * Clients without an order that can go on where they have stopped: some records, perhaps none. A
   * record that is present throughout comes at least once.
   *
   * @throws {KvError} KV_INVALID_CURSOR for a place that is none.
   */
  walk?(query: WalkQuery): MaybePromise<Walk>;
  /**
   * Clients without an order: every record once, also those that have expired. Foreign items are
   * left out. A `null` in between shows that the client answers, while it looks through many keys
   * without finding any. Earlier records are passed on then, so that large values do not pile up.
   */
  iterate?(
    prefix: string,
    values: boolean,
  ):
    | Iterable<readonly [string, KvRecord] | null>
    | AsyncIterable<readonly [string, KvRecord] | null>;

  /**
   * The calls that take effect in call order by themselves, also while earlier calls are pending:
   * `"all"` calls, as on one connection that sends commands one behind the other, or the
   * `"writes"`. Default: nothing. The store then waits for earlier calls on the same key.
   */
  readonly inOrder?: "all" | "writes" | undefined;

  /**
   * Clients that can only list everything: whether a record may have a deadline. Writes of a
   * deadline set `known`. Without it every round of sweeps lists the client.
   */
  readonly deadlines?: { known: boolean };

  // Optional, where the client can do better than the methods above.
  has?(key: string, now: number): MaybePromise<boolean>;
  getMany?(keys: readonly string[]): MaybePromise<(KvRecord | null)[]>;
  setMany?(writes: readonly Write[]): MaybePromise<void>;
  /**
   * Removes every record written by anykv whose key is longer than the prefix and starts with it,
   * expired ones too, and nothing else.
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
  /**
   * Adds the value of `record`, a number, to the number under a key, in one step. Without a fresh
   * one the record is written itself. A number that is there keeps its deadline and its metadata.
   * Answers `null` when the sum is refused, `undefined` when no number is stored or the sum would
   * not be exact: nothing is written then.
   */
  count?(
    key: string,
    record: KvRecord,
    rules: CountRules,
  ): MaybePromise<Counted | null | undefined>;
  close?(): MaybePromise<void>;
  /**
   * Reports changes that are made outside of this store's process, or all of them. Settles once
   * every later change will be reported. It must not keep the process alive. Without it the client
   * is looked at in intervals. Changes that stores of this process make are known without it.
   */
  watch?(feed: Feed, prefixes: Coverage): MaybePromise<Subscription>;
  /**
   * Replaces the connection: several requests in a row got no answer. Pending requests reject, and
   * are not sent again.
   */
  replace?(): void;

  /**
   * Every full key under the prefix with a record that is fresh at `now` (epoch milliseconds), and
   * whether there are expired ones. For clients that find them faster than by pages, and need no
   * time limit.
   */
  freshKeys?(prefix: string, now: number): MaybePromise<{ keys: string[]; hasExpired: boolean }>;

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

/**
 * The operations of typed fields, by kind and name: on collections of texts, and on numbers. A
 * client answers itself where it has such types (`Adapter.structure`); on all others the answers
 * come from the one record that the field is. An empty collection is an absent one.
 */
export interface StructureReads {
  "number.read"(): number | null;
  /** `index` counts fields of so many bits; `null` when there is nothing at all. */
  "bitset.get"(bits: number, index: number): bigint | null;
  /** The sum from `start` to before `end`. */
  "bitset.sum"(bits: number, start: number, end: number): bigint;
  "set.read"(): string[];
  "set.has"(member: string): boolean;
  "set.size"(): number;
  /** The items from `start` to before `end`, negative ones from the back, `null` to the last. */
  "list.range"(start: number, end: number | null): string[];
  "list.size"(): number;
  "hash.read"(): (readonly [name: string, value: string])[];
  "hash.get"(name: string): string | null;
  "hash.names"(): string[];
  "hash.size"(): number;
  /** By rank, as `list.range`. */
  "sorted.range"(start: number, end: number | null, reverse: boolean): Scored[];
  /** By score, both ends included. */
  "sorted.between"(min: number, max: number, reverse: boolean): Scored[];
  "sorted.score"(member: string): number | null;
  "sorted.rank"(member: string, reverse: boolean): number | null;
  "sorted.size"(): number;
}

/**
 * A member of a sorted set and its score. They are ordered by score, then by the UTF-8 bytes of the
 * member.
 */
export type Scored = readonly [member: string, score: number];

/** The same for changes. `write` replaces everything. */
export interface StructureWrites {
  "number.write"(value: number): void;
  /** `null`, and nothing is changed, when the sum is beyond what a number holds exactly. */
  "number.increment"(by: number): number | null;
  "bitset.set"(bits: number, index: number, value: bigint): void;
  "bitset.increment"(bits: number, index: number, by: bigint): bigint;
  "set.write"(members: readonly string[]): void;
  /** How many were not there before; `remove`: how many were. */
  "set.add"(members: readonly string[]): number;
  "set.remove"(members: readonly string[]): number;
  "list.write"(items: readonly string[]): void;
  /** The new length. `unshift` puts them before the others, in their order. */
  "list.push"(items: readonly string[]): number;
  "list.unshift"(items: readonly string[]): number;
  "list.pop"(): string | null;
  "list.shift"(): string | null;
  /** Keeps the items that `list.range` answers, and removes the others. */
  "list.trim"(start: number, end: number | null): void;
  "hash.write"(entries: readonly (readonly [name: string, value: string])[]): void;
  "hash.set"(entries: readonly (readonly [name: string, value: string])[]): number;
  "hash.remove"(names: readonly string[]): number;
  "sorted.write"(entries: readonly Scored[]): void;
  "sorted.add"(entries: readonly Scored[]): number;
  "sorted.remove"(members: readonly string[]): number;
  /** `null`, and nothing is changed, when the score would not be finite. */
  "sorted.increment"(member: string, by: number): number | null;
}

/**
 * Operations on the field as a whole, or on several fields. Only asked of clients that answer
 * themselves.
 */
export interface StructureExtras {
  /** The members of this set that are in all of the others: their full keys. */
  "set.intersect"(others: readonly string[]): string[];
  /** Moves the deadline to where the call says. */
  "any.touch"(): boolean;
}

/** Everything that can be asked for. */
export type StructureCalls = StructureReads & StructureWrites & StructureExtras;

export type StructureName = keyof StructureCalls;
