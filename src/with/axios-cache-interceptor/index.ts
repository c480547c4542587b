import type { Store } from "../../api.ts";
import { KvError } from "../../errors.ts";
import { milliseconds } from "../../expires.ts";
import { checkOptions } from "../../platform/options.ts";
import { requireStore } from "../../store/require-store.ts";

/** Options of {@link axiosCacheStorage}. */
export interface AxiosCacheOptions {
  /** A literal text before all keys. Default `""`. */
  prefix?: string | undefined;
  /**
   * How long a request may load before another process sends it again. A number is seconds. Default
   * `"1m"`.
   */
  loading?: number | string | undefined;
  /**
   * Gets the errors of reads, which count as misses, of writes and of deletions. Default
   * `console.error`.
   */
  onError?: ((error: unknown) => void) | undefined;
}

/** A record of axios-cache-interceptor. Times are in milliseconds. */
export interface AxiosCacheValue {
  state: "loading" | "cached" | "stale" | "must-revalidate" | "empty";
  createdAt?: number | undefined;
  ttl?: number | undefined;
  staleTtl?: number | undefined;
  data?: { headers: object } | undefined;
}

/** The argument of axios-cache-interceptor's `buildStorage`. */
export interface AxiosCacheStorage {
  // The package declares more members of its records. The store keeps all of them.
  find(key: string): Promise<never>;
  set(key: string, value: AxiosCacheValue): Promise<void>;
  remove(key: string): Promise<void>;
  clear(): Promise<void>;
}

// Stale responses answer requests that fail, and carry the etag.
const STALE_MS = 3_600_000;

/** The end of a record; `null` for never. */
function endOf(
  { state, createdAt, ttl = 0, staleTtl = 0 }: AxiosCacheValue,
  loading: number,
): Date | null {
  if (state === "loading") return new Date(Date.now() + loading);
  const start = state === "cached" ? (createdAt ?? Date.now()) : Date.now();
  const end = start + ttl + Math.max(staleTtl, STALE_MS);
  return Number.isFinite(end) ? new Date(end) : null;
}

/** The record with its headers as a plain object: axios has a class for them. */
function withPlainHeaders(value: AxiosCacheValue): AxiosCacheValue {
  if (value.data === undefined) return value;
  const headers = Object.fromEntries(Object.entries(value.data.headers));
  return { ...value, data: { ...value.data, headers } };
}

/**
 * The storage of axios-cache-interceptor: pass it to `buildStorage`.
 *
 * A response is kept for its `ttl` and an hour more, or its `staleTtl` if that is longer. A request
 * that loads is kept for `loading`, so that a process that dies does not block its URL. A request
 * is answered without the cache when the store fails. Responses that are no JSON are not kept
 * without the `rich` codec of `anykv/codec`.
 *
 * @throws {KvError} KV_INVALID_CLIENT for anything but a store; KV_INVALID_VALUE for wrong or
 * unknown options; KV_INVALID_EXPIRES unless `loading` is a duration above 0.
 * @example
 * import axios from "axios";
 * import { buildStorage, setupCache } from "axios-cache-interceptor";
 * import kv from "anykv";
 * import { axiosCacheStorage } from "anykv/with/axios-cache-interceptor";
 *
 * const storage = buildStorage(axiosCacheStorage(kv(new Map()), { prefix: "http:" }));
 * const client = setupCache(axios.create(), { storage });
 * console.log(typeof client.get); // function
 */
export function axiosCacheStorage(
  store: Store,
  options: AxiosCacheOptions = {},
): AxiosCacheStorage {
  checkOptions(options, ["prefix", "loading", "onError"], "axiosCacheStorage()");
  requireStore(store, "axiosCacheStorage()");
  const loading = milliseconds(options.loading ?? "1m");
  if (!(loading > 0 && Number.isFinite(loading)))
    throw new KvError("KV_INVALID_EXPIRES", "loading is a duration above 0");
  const { prefix, onError = console.error } = options;
  if (typeof onError !== "function") throw new KvError("KV_INVALID_VALUE", "onError is a function");
  const base = store.prefix(prefix);
  // Requests that wait for a response wait for ever behind a rejection here.
  const report = (error: unknown): void => void onError(error);
  const remove = async (key: string): Promise<void> => void (await base.del(key).catch(report));
  return {
    find: async (key) => ((await base.get(key).catch(report)) ?? undefined) as never,
    async set(key, value) {
      try {
        await base.set(key, withPlainHeaders(value), { expires: endOf(value, loading) });
      } catch (error) {
        report(error);
        // Nothing loads any more.
        if (value.state !== "loading") await remove(key);
      }
    },
    remove,
    clear: () => base.clear(),
  };
}
