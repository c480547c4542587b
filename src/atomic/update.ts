import type { SetOptions, Store } from "../api.ts";
import type { Json } from "../types.ts";
import { kept, type Next, swap } from "./swap.ts";

const isThenable = <T>(value: T | Promise<T>): value is Promise<T> =>
  typeof (value as Partial<Promise<T>> | null)?.then === "function";

/**
 * Changes a value depending on the current one: reads it, lets `change` compute the next one, and
 * writes that only if no other write came in between; otherwise it begins again. `change` may be
 * called several times.
 *
 * The deadline and the metadata stay unless the options name others.
 *
 * @param change gets the value, `null` when absent or expired. Its result is set; `null` deletes,
 * `undefined` leaves everything as it is.
 * @returns the value that is stored then; `null` when there is none.
 * @throws {KvError} KV_NOT_SUPPORTED when `store.supports.atomic` is `"no"`; the error of `change`,
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

/**
 * Sets a value if there is none.
 *
 * @returns whether it did.
 * @throws {KvError} KV_NOT_SUPPORTED when `store.supports.atomic` is `"no"`; the errors of
 * `store.set()`.
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
 * @throws {KvError} KV_NOT_SUPPORTED when `store.supports.atomic` is `"no"`; the errors of
 * `store.set()`.
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
