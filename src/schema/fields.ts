import type { Expires } from "../types.ts";

/** Options of everything that writes to a field. */
export interface FieldWriteOptions {
  /**
   * When the field expires; `null` for never. Default: as it was, and the store's own default for a
   * field that was not there.
   */
  readonly expires?: Expires | undefined;
}

/** Options of `watch()`. */
export interface FieldWatchOptions {
  /**
   * How often to look for changes by others: seconds up to 60, or a string such as `"500ms"`.
   * Default 1.
   */
  readonly interval?: number | string | undefined;
  /** Ends the watch. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * The methods that all fields have. Every method rejects with a {@link KvError}: KV_VALIDATION for
 * a value that does not fit, KV_FOREIGN when a value of another kind is stored under the key,
 * KV_INVALID_EXPIRES, KV_TOO_LARGE, KV_CONNECTION, KV_CLOSED. Methods that change a part of a field
 * also reject with KV_NOT_SUPPORTED where `supports.atomic` is `"no"`.
 */
export interface Field {
  /** Where the field is kept: the names of its stores and its own, with `:` between. */
  readonly key: string;
  /** Whether there is something. A collection without members is not there. */
  exists(): Promise<boolean>;
  /** Removes it, whatever is kept there; a missing one is no error. */
  erase(): Promise<void>;
  /**
   * Moves the deadline and keeps the value; zero or below removes it. Resolves to whether it was
   * there.
   */
  touch(expires: Expires): Promise<boolean>;
}

/** A field that is read and written as a whole. It takes `In` and gives `Out`. */
export interface WholeField<In, Out> extends Field {
  /** The value; `undefined` when there is none, or it has expired. */
  read(): Promise<Out | undefined>;
  /** Replaces the value in one step. The deadline stays unless `expires` names another. */
  write(value: In, options?: FieldWriteOptions): Promise<void>;
  /**
   * A stream of the value: the current one, and each later one. Changes by typed stores over the
   * same connection come at once, others and deadlines within the interval. It does not keep a
   * program alive.
   *
   * @throws {KvError} KV_INVALID_VALUE at once for options that are none.
   */
  watch(options?: FieldWatchOptions): ReadableStream<Out | undefined>;
}

/** A text. */
export interface StringField extends WholeField<string, string> {}

/** `true` or `false`. */
export interface BooleanField extends WholeField<boolean, boolean> {}

/** Bytes. A read gives a copy. */
export interface BytesField extends WholeField<Uint8Array, Uint8Array> {}

/**
 * A finite number.
 *
 * @example
 * import { DynamicStore } from "anykv/schema";
 *
 * const visits = DynamicStore("visits", "number");
 * const home = visits.take("home");
 * console.log(await home.increment(), await home.increment(2)); // 1 3
 */
export interface NumberField extends WholeField<number, number> {
  /**
   * Adds to it; concurrent additions are not lost. An absent one begins at 0. Resolves to the sum.
   *
   * @throws {KvError} KV_INVALID_VALUE when a number cannot hold the sum exactly; nothing is
   * changed then.
   */
  increment(by?: number, options?: FieldWriteOptions): Promise<number>;
}

/**
 * A set of texts, in no order.
 *
 * @example
 * import { StaticStore } from "anykv/schema";
 *
 * const user = StaticStore("user", { tags: "set" });
 * console.log(await user.take("tags").add(["admin", "staff"])); // 2
 * console.log(await user.take("tags").has("admin"), await user.take("tags").size()); // true 2
 */
export interface SetField extends WholeField<Iterable<string>, Set<string>> {
  /** Adds one or several; resolves to how many were not in it. */
  add(members: string | readonly string[], options?: FieldWriteOptions): Promise<number>;
  /** Removes one or several; resolves to how many were in it. */
  remove(members: string | readonly string[], options?: FieldWriteOptions): Promise<number>;
  has(member: string): Promise<boolean>;
  size(): Promise<number>;
  /**
   * The members of this set and of all others, which may be of other stores. No snapshot where the
   * client cannot give one.
   */
  intersect(...others: readonly SetField[]): Promise<Set<string>>;
}

/**
 * A list of texts. Places are counted as by `Array.prototype.slice`: from 0, negative ones from the
 * end, the end itself left out.
 *
 * @example
 * import { StaticStore } from "anykv/schema";
 *
 * const log = StaticStore("app", { log: "list" }).take("log");
 * await log.push(["a", "b", "c"]);
 * console.log(await log.range(-2), await log.shift()); // ["b","c"] a
 */
export interface ListField extends WholeField<Iterable<string>, string[]> {
  /** Puts one or several at the end; resolves to the length. */
  push(items: string | readonly string[], options?: FieldWriteOptions): Promise<number>;
  /** Puts one or several at the front, in their order; resolves to the length. */
  unshift(items: string | readonly string[], options?: FieldWriteOptions): Promise<number>;
  /** Takes the last one; `undefined` when there is none. */
  pop(options?: FieldWriteOptions): Promise<string | undefined>;
  /** Takes the first one; `undefined` when there is none. */
  shift(options?: FieldWriteOptions): Promise<string | undefined>;
  range(start?: number, end?: number): Promise<string[]>;
  /** Keeps that range alone. */
  trim(start: number, end?: number, options?: FieldWriteOptions): Promise<void>;
  size(): Promise<number>;
}

/** Texts by name: an object, a Map, or pairs. */
export type HashInput =
  | { readonly [name: string]: string }
  | Iterable<readonly [name: string, value: string]>;

/**
 * Texts by name, in no order.
 *
 * @example
 * import { DynamicStore } from "anykv/schema";
 *
 * const ann = DynamicStore("user", "hash").take("ann");
 * await ann.setAll({ city: "Graz", country: "AT" });
 * console.log(await ann.get("city"), await ann.get("street") ?? "none"); // Graz none
 * console.log((await ann.fields()).sort()); // ["city", "country"]
 */
export interface HashField extends WholeField<HashInput, { [name: string]: string }> {
  /** The text of a name; `undefined` when there is none. */
  get(name: string): Promise<string | undefined>;
  /** Resolves to whether the name is new. */
  set(name: string, value: string, options?: FieldWriteOptions): Promise<boolean>;
  /** Sets several in one step; resolves to how many are new. */
  setAll(entries: HashInput, options?: FieldWriteOptions): Promise<number>;
  /** Removes one or several names; resolves to how many there were. */
  remove(names: string | readonly string[], options?: FieldWriteOptions): Promise<number>;
  has(name: string): Promise<boolean>;
  /** The names, in no order. */
  fields(): Promise<string[]>;
  size(): Promise<number>;
}

/** Scores by member: an object, a Map, or pairs. */
export type SortedInput =
  | { readonly [member: string]: number }
  | Iterable<readonly [member: string, score: number]>;

/** Options of reads in the order of a sorted set. */
export interface SortedOptions {
  /** From the highest score to the lowest. Default `false`. */
  readonly reverse?: boolean | undefined;
}

/**
 * Texts with scores, in the order of these; those with the same score by their UTF-8 bytes.
 *
 * @example
 * import { StaticStore } from "anykv/schema";
 *
 * const board = StaticStore("game", { board: "sorted" }).take("board");
 * await board.addAll({ ann: 30, bob: 10, eve: 20 });
 * console.log(await board.increment("bob", 25)); // 35
 * console.log(await board.rank("bob", { reverse: true })); // 0
 * console.log(await board.range(0, 2, { reverse: true })); // [["bob", 35], ["ann", 30]]
 */
export interface SortedField extends WholeField<SortedInput, Map<string, number>> {
  /** Sets the score of a member; resolves to whether it is new. */
  add(member: string, score: number, options?: FieldWriteOptions): Promise<boolean>;
  /** Sets several in one step; resolves to how many are new. */
  addAll(entries: SortedInput, options?: FieldWriteOptions): Promise<number>;
  /** Removes one or several; resolves to how many there were. */
  remove(members: string | readonly string[], options?: FieldWriteOptions): Promise<number>;
  /**
   * Adds to a score; an absent member begins at 0. Resolves to the new score. @throws {KvError}
   * KV_INVALID_VALUE when that is not finite; nothing is changed then.
   */
  increment(member: string, by?: number, options?: FieldWriteOptions): Promise<number>;
  /** `undefined` when it is no member. */
  score(member: string): Promise<number | undefined>;
  /** The place in the order, from 0; `undefined` when it is no member. */
  rank(member: string, options?: SortedOptions): Promise<number | undefined>;
  /** By place, as `Array.prototype.slice` counts. */
  range(
    start?: number,
    end?: number,
    options?: SortedOptions,
  ): Promise<[member: string, score: number][]>;
  /** By score, both ends included. Default: all. */
  between(
    min?: number,
    max?: number,
    options?: SortedOptions,
  ): Promise<[member: string, score: number][]>;
  size(): Promise<number>;
}
