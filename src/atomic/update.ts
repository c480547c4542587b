import type { Entry, SetOptions, Store } from "../api.ts";
import { untilDone } from "../concurrency/retry.ts";
import { KvError } from "../errors.ts";
import { inTurn } from "../store/in-turn.ts";
import { checkOptions } from "../platform/options.ts";
import type { Expires, Json } from "../types.ts";

/**
 * What is to become of a value: the new one with its options, `null` to delete, `undefined` to
 * leave it.
 */
type Next = { value: unknown; options: SetOptions } | null | undefined;

/** An attempt that waits for the caller's decision on an entry. */
interface Undecided<V> {
  readonly entry: Entry<V> | null;
  readonly next: Promise<Next>;
}

/**
 * Reads, decides and writes, again and again until no other write came in between. Resolves to what
 * was there before.
 *
 * It keeps its place in the call order, unless `decide` takes time: it may then use the store
 * itself.
 */
async function swap<V>(
  store: Store<V>,
  key: string,
  decide: (entry: Entry<V> | null) => Next | Promise<Next>,
): Promise<Entry<V> | null> {
  const attempt = async (
    inside: Store<V>,
  ): Promise<{ entry: Entry<V> | null } | Undecided<V> | null> => {
    const entry = await inside.entry<V>(key);
    if (store.supports.atomic === "no") {
      throw new KvError(
        "KV_NOT_SUPPORTED",
        `${store.type} offers no compare-and-set: two writers at once would lose one of their ` +
          "changes",
        { client: store.type, key },
      );
    }
    const next = decide(entry);
    if (next instanceof Promise) return { entry, next };
    return (await apply(inside, key, entry, next)) ? { entry } : null;
  };
  const done = await untilDone(async () => {
    const result = await inTurn(store, [key], (inside) => untilDone(() => attempt(inside)));
    if (!("next" in result)) return result;
    return (await apply(store, key, result.entry, await result.next)) ? result : null;
  });
  return done.entry;
}

/**
 * Writes the decision on an entry, if the entry is still the newest. Resolves to whether it did.
 */
async function apply<V>(
  store: Store<V>,
  key: string,
  entry: Entry<V> | null,
  next: Next,
): Promise<boolean> {
  if (next === undefined) return true;
  checkKept(next?.options);
  const write = { key, value: next?.value ?? null, ...next?.options };
  return (await store.commit([{ key, version: entry?.version ?? null }], [write])).ok;
}

const isThenable = <T>(value: T | Promise<T>): value is Promise<T> =>
  typeof (value as Partial<Promise<T>> | null)?.then === "function";

function checkKept(options: unknown): void {
  checkOptions(options, ["expires", "metadata"], "a write", "KV_INVALID_EXPIRES");
}

/** What a rewrite keeps unless it is told otherwise. */
function kept(entry: Entry<unknown> | null, options: SetOptions | undefined): SetOptions {
  checkKept(options);
  const before: SetOptions =
    entry === null
      ? {}
      : {
          expires: entry.expires === null ? null : new Date(entry.expires),
          metadata: entry.metadata,
        };
  for (const name of ["expires", "metadata"] as const)
    if (options?.[name] !== undefined) before[name] = options[name] as never;
  return before;
}

/**
 * Changes a value by what it is now, whoever else writes it: reads it, lets `change` compute the
 * next one, and writes that only if nobody has written in between; otherwise it begins again.
 * `change` may be called several times.
 *
 * The deadline and the metadata stay unless the options name others.
 *
 * @param change gets the value, `null` when absent or expired. What it answers is set; `null`
 * deletes, `undefined` leaves everything as it is.
 * @returns the value that is stored then; `null` when there is none.
 * @throws {KvError} KV_NOT_SUPPORTED when `store.supports.atomic` is `"no"`; what `change` throws,
 * and then nothing is written.
 * @example
 * import kv from "anykv";
 * import { update } from "anykv/atomic";
 *
 * const store = kv(new Map());
 * await store.set("cart", ["tea"]);
 * console.log(await update(store, "cart", (cart) => [...cart, "milk"])); // ["tea", "milk"]
 */
export async function update<V = Json>(
  store: Store<V>,
  key: string,
  change: (value: V | null) => V | null | undefined | Promise<V | null | undefined>,
  options?: Omit<SetOptions, "prefix">,
): Promise<V | null> {
  let result: V | null = null;
  await swap(store, key, (entry) => {
    const before = entry === null ? null : entry.value;
    const decided = (next: V | null | undefined): Next => {
      result = next === undefined ? before : next;
      if (next === undefined) return undefined;
      return next === null ? null : { value: next, options: kept(entry, options) };
    };
    const next = change(before);
    return isThenable(next) ? Promise.resolve(next).then(decided) : decided(next);
  });
  return result;
}

/** Options of {@link increment}. */
export interface IncrementOptions {
  /**
   * The deadline of a number that begins with this call; one that is there keeps its own, so that a
   * window is not moved by what is counted in it.
   */
  expires?: Expires | undefined;
  /** The result may not be below. Default: none. */
  min?: number | undefined;
  /** The result may not be above. Default: none. */
  max?: number | undefined;
}

/**
 * Adds to a number, whoever else adds to it. An absent one begins at 0.
 *
 * @param by how much; may be negative. Default 1.
 * @returns the new number; `null` when it would be below `min` or above `max`, and then nothing is
 * written.
 * @throws {KvError} KV_INVALID_VALUE when the stored value or `by` is no number, or the sum is
 * beyond what a number holds exactly; KV_NOT_SUPPORTED when `store.supports.atomic` is `"no"`.
 * @example
 * import kv from "anykv";
 * import { increment } from "anykv/atomic";
 *
 * const store = kv(new Map());
 * const attempt = () => increment(store, "login:ann", 1, { expires: "1m", max: 2 });
 * console.log(await attempt(), await attempt(), await attempt()); // 1 2 null
 */
export async function increment<V>(
  store: Store<V>,
  key: string,
  by: number = 1,
  options: IncrementOptions = {},
): Promise<number | null> {
  checkOptions(options, ["expires", "min", "max"], "increment()", "KV_INVALID_EXPIRES");
  const { expires, min = -Infinity, max = Infinity } = options;
  let sum: number | null = null;
  await swap(store, key, (entry) => {
    const before: unknown = entry === null ? 0 : entry.value;
    if (typeof before !== "number" || typeof by !== "number") {
      throw new KvError(
        "KV_INVALID_VALUE",
        `increment() adds numbers, and ${typeof by === "number" ? "what is stored" : '"by"'} is ` +
          `a ${typeof (typeof by === "number" ? before : by)}`,
        { client: store.type, key },
      );
    }
    const next = before + by;
    const isExact =
      Number.isFinite(next) && (!Number.isInteger(next) || Number.isSafeInteger(next));
    if (!isExact)
      throw new KvError("KV_INVALID_VALUE", "the sum is beyond what a number holds exactly", {
        client: store.type,
        key,
      });
    sum = next >= min && next <= max ? next : null;
    return sum === null
      ? undefined
      : { value: sum, options: entry === null ? { expires } : kept(entry, undefined) };
  });
  return sum;
}

/**
 * Sets a value if there is none.
 *
 * @returns whether it did.
 * @throws {KvError} KV_NOT_SUPPORTED when `store.supports.atomic` is `"no"`; what `store.set()`
 * throws.
 * @example
 * import kv from "anykv";
 * import { setIfAbsent } from "anykv/atomic";
 *
 * const store = kv(new Map());
 * console.log(await setIfAbsent(store, "lock", "me", { expires: "10s" })); // true
 * console.log(await setIfAbsent(store, "lock", "you", { expires: "10s" })); // false
 */
export async function setIfAbsent<V>(
  store: Store<V>,
  key: string,
  value: V,
  options: Omit<SetOptions, "prefix"> = {},
): Promise<boolean> {
  return (
    (await swap(store, key, (entry) => (entry === null ? { value, options } : undefined))) === null
  );
}

/**
 * Sets a value if there is one already. Deadline and metadata are replaced as by `store.set()`.
 *
 * @returns whether it did.
 * @throws {KvError} KV_NOT_SUPPORTED when `store.supports.atomic` is `"no"`; what `store.set()`
 * throws.
 * @example
 * import kv from "anykv";
 * import { replace } from "anykv/atomic";
 *
 * const store = kv(new Map());
 * console.log(await replace(store, "draft", "text")); // false
 */
export async function replace<V>(
  store: Store<V>,
  key: string,
  value: V,
  options: Omit<SetOptions, "prefix"> = {},
): Promise<boolean> {
  return (
    (await swap(store, key, (entry) => (entry === null ? undefined : { value, options }))) !== null
  );
}

/**
 * Reads a value and deletes it: of many that take it at once, one gets it.
 *
 * @returns the value; `null` when it is absent or expired.
 * @throws {KvError} KV_NOT_SUPPORTED when `store.supports.atomic` is `"no"`.
 * @example
 * import kv from "anykv";
 * import { take } from "anykv/atomic";
 *
 * const store = kv(new Map());
 * await store.set("token", "x7f");
 * console.log(await take(store, "token"), await take(store, "token")); // x7f null
 */
export async function take<V>(store: Store<V>, key: string): Promise<V | null> {
  const entry = await swap(store, key, (entry) => (entry === null ? undefined : null));
  return entry === null ? null : entry.value;
}

/**
 * Deletes a key and tells whether it was there: of many that remove it at once, one gets `true`.
 *
 * @returns whether the key existed. An expired key did not.
 * @throws {KvError} KV_NOT_SUPPORTED when `store.supports.atomic` is `"no"`; KV_FOREIGN for an item
 * that this library did not write.
 * @example
 * import kv from "anykv";
 * import { remove } from "anykv/atomic";
 *
 * const store = kv(new Map());
 * await store.set("token", "x7f");
 * console.log(await remove(store, "token"), await remove(store, "token")); // true false
 */
export async function remove<V>(store: Store<V>, key: string): Promise<boolean> {
  return (await swap(store, key, (entry) => (entry === null ? undefined : null))) !== null;
}
