import type { Store } from "../api.ts";
import { durationOf, MOST_INTERVAL } from "../concurrency/interval.ts";
import { checkOptions } from "../platform/options.ts";
import type { Connect } from "./backend.ts";
import { statesOf } from "./states.ts";
import type { KVFn, KVSeed, KVStoreOptions, Storable } from "./types.ts";

/** The functions over each store, and over IndexedDB, by their names. */
const functions = new WeakMap<object, Map<string, KVFn>>();
const inIndexedDb = {};

function functionOf(
  name: string,
  {
    store,
    version = 1,
    dbName = `${name}.kv`,
    seeds,
    delay = 0.1,
    interval = 1,
  }: KVStoreOptions<unknown>,
): KVFn {
  const wait = durationOf("delay", delay, 10, 0);
  const look =
    interval === Infinity ? Infinity : durationOf("interval", interval, MOST_INTERVAL, 0);
  const place = store ?? inIndexedDb;
  const made = functions.get(place) ?? new Map<string, KVFn>();
  functions.set(place, made);
  const id = store ? name : JSON.stringify([dbName, name, version]);
  const connect: Connect = async (memory) =>
    store
      ? (await import("./store-backend.ts")).storeBackend(
          store as Store<unknown>,
          name,
          seeds,
          look,
          memory,
        )
      : (await import("./idb.ts")).idbBackend(name, version, dbName, seeds, memory);
  const known = made.get(id) ?? statesOf(connect, wait, () => made.delete(id));
  made.set(id, known);
  return known;
}

/**
 * Makes a function that gives states: objects whose `data` is kept in an IndexedDB database, or in
 * any store, and is live across tabs.
 *
 * The same name, version and database give the same function, as do the same name and store. Stored
 * values are loaded in the background, from the current turn on. A database of a newer version, or
 * none at all, is no exception: states then work in memory, and say so by `status` and `error`.
 *
 * @param name the object store. Several of them may share a database, also when they are declared
 * later.
 * @param version the version of the database, 1 by default; or all options in one object.
 * @param dbName the database, by default the name and `.kv`.
 * @param seeds the initial values of a store that was never filled: written once.
 * @example
 * ```js
 * import kv from "anykv";
 * import { createKVStore } from "anykv/reactive";
 *
 * // createKVStore("settings") keeps the values in IndexedDB.
 * const settings = createKVStore("settings", { store: kv(new Map()) });
 * const theme = settings("theme", { dark: false, accents: ["red"] });
 * await settings.ready();
 * theme.data.dark = true; // written a moment later
 * console.log(theme.status, settings("theme") === theme); // ready true
 * ```
 */
export function createKVStore<T = Storable>(
  name: string,
  version?: number,
  dbName?: string,
  seeds?: readonly KVSeed<NoInfer<T>>[],
): KVFn;
export function createKVStore<T = Storable>(
  name: string,
  options: KVStoreOptions<NoInfer<T>>,
): KVFn;
export function createKVStore<T>(
  name: string,
  version?: number | KVStoreOptions<T>,
  dbName?: string,
  seeds?: readonly KVSeed<T>[],
): KVFn {
  if (Object(version) === version)
    checkOptions(
      version,
      ["store", "version", "dbName", "seeds", "delay", "interval"],
      "createKVStore()",
    );
  const made = functionOf(
    name,
    Object(version) === version
      ? (version as KVStoreOptions<unknown>)
      : ({ version, dbName, seeds } as KVStoreOptions<unknown>),
  );
  // After the current turn: everything that it declares for the database is made in one step.
  queueMicrotask(() => void made.store().promise());
  return made;
}

/**
 * The function of the store `"anykv"` in the database `"anykv.kv"`. Nothing is opened before its
 * first call.
 *
 * @example
 * ```js browser
 * import { kv } from "anykv/reactive";
 *
 * const draft = kv("draft", { text: "" });
 * await kv.ready();
 * draft.data.text = "Hello";
 * console.log(draft.status); // "ready"
 * ```
 */
export const kv: KVFn = /* @__PURE__ */ functionOf("anykv", {});
