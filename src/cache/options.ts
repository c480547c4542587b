import { KvError } from "../errors.ts";
import { milliseconds } from "../expires.ts";
import { checkOptions } from "../platform/options.ts";

/** A duration: a number of seconds, or a string such as `"500ms"` or `"10m"`. */
export type Time = number | string;

/** How a value is kept. A loader can change these options with `setOptions()`. */
export interface KeepOptions {
  /** How long the value is fresh; `null` for ever. Default: the expiry of the store. */
  ttl?: Time | null | undefined;
  /** How long a stale value may be served after that. Needs a `ttl`. Default 0. */
  grace?: Time | undefined;
  /**
   * The share of `ttl` that may be cut off by chance, from 0 to 1, so that values that were stored
   * together do not expire together. Default 0.05.
   */
  jitter?: number | undefined;
  /** How long `null` and `undefined` are fresh; `null` for ever. Default 0: they are not cached. */
  nullTtl?: Time | null | undefined;
  /** Names of groups that `expireTags()` and `delTags()` invalidate. Default none. */
  tags?: readonly string[] | undefined;
  /** JSON to keep beside the value, such as an ETag. The next loader sees it. Default none. */
  metadata?: unknown;
}

/** How a value is loaded. */
export interface LoadOptions extends KeepOptions {
  /**
   * How long a caller waits for the loader before it gets a stale value. Default 0: it gets the
   * stale value at once, and the load goes on in the background.
   */
  timeout?: Time | undefined;
  /**
   * How long a caller waits at most. It then gets a stale value, or is rejected with KV_TIMEOUT if
   * there is none. The load goes on in the background. Default `null`: for as long as it takes.
   */
  hardTimeout?: Time | null | undefined;
  /**
   * Loads a fresh value again before it is stale: by chance, the more likely the nearer the end is
   * and the longer the last load took (XFetch). A number above 1 begins earlier. Default `false`.
   */
  refreshAhead?: boolean | number | undefined;
  /** Loads even if a fresh value is there. Default `false`. */
  forceFresh?: boolean | undefined;
  /** Rejects the caller when it is aborted. The load ends with its last caller. */
  signal?: AbortSignal | undefined;
}

/** Where an error was reported from. */
export interface ErrorPlace {
  /** The key, or the first of several; `undefined` for errors that belong to no key. */
  readonly key: string | undefined;
  /** `"load"`: the loader failed. `"store"`: the store failed, or rejected a value. */
  readonly during: "load" | "store";
}

/** The defaults of a cache, and the options that hold for all of its calls. */
export interface CacheOptions extends Omit<
  LoadOptions,
  "forceFresh" | "metadata" | "signal" | "tags"
> {
  /**
   * How long other processes wait for a process that loads, in case that it dies. Choose more than
   * the slowest load. Default `"10s"`.
   */
  lease?: Time | undefined;
  /**
   * The action of a read while the store cannot be reached: `"load"` calls the loader, `"throw"`
   * rejects. Default `"load"`.
   */
  onStoreError?: "load" | "throw" | undefined;
  /**
   * How long reads leave a store alone that could not be reached. One call then tries again.
   * Default `"1s"`; 0 for not at all.
   */
  breaker?: Time | undefined;
  /** Gets the errors that no caller gets. Default: they only count in `stats()`. */
  onError?: ((error: unknown, place: ErrorPlace) => void) | undefined;
}

/** The options of a call in milliseconds, with all defaults filled in. */
export interface CacheSettings {
  readonly ttl: number | null;
  readonly grace: number;
  readonly jitter: number;
  readonly nullTtl: number | null;
  readonly tags: readonly string[];
  readonly metadata: unknown;
  readonly timeout: number;
  readonly hardTimeout: number;
  readonly refreshAhead: number;
  readonly forceFresh: boolean;
  readonly signal: AbortSignal | undefined;
}

const invalid = (name: string, what: string): KvError =>
  new KvError("KV_INVALID_VALUE", `${name} has to be ${what}`);

/**
 * The milliseconds of a duration.
 *
 * @param most the largest bare number, in seconds: a larger one probably means milliseconds.
 * @throws {KvError} KV_INVALID_EXPIRES for anything that is no duration.
 */
export function timeOf(name: string, value: unknown, most: number = Infinity): number {
  if (typeof value === "number" && value > most)
    throw new KvError(
      "KV_INVALID_EXPIRES",
      `${name} is in seconds, and ${value} is too many: write "${value}ms" or "${value}s"`,
    );
  const ms = milliseconds(value);
  if (ms >= 0) return ms;
  throw new KvError(
    "KV_INVALID_EXPIRES",
    `${name} has to be a duration: seconds, or a string such as "500ms" or "10m"`,
  );
}

/** The largest bare number of an option that is waited for. */
export const MOST_WAIT = 600;

const READERS: { readonly [name: string]: (value: never, name: string) => unknown } = {
  ttl: (value: unknown, name) => (value === null ? null : timeOf(name, value)),
  grace: (value, name) => timeOf(name, value),
  nullTtl: (value: unknown, name) => (value === null ? null : timeOf(name, value)),
  timeout: (value, name) => timeOf(name, value, MOST_WAIT),
  hardTimeout: (value: unknown, name) =>
    value === null ? Infinity : timeOf(name, value, MOST_WAIT),
  jitter(value: number, name) {
    if (value >= 0 && value <= 1) return value;
    throw invalid(name, "a share of the ttl: a number from 0 to 1");
  },
  refreshAhead(value: boolean | number, name) {
    if (typeof value === "boolean" || (value >= 0 && value < Infinity)) return Number(value);
    throw invalid(name, "true, false, or a number from 0");
  },
  tags(value: readonly unknown[], name) {
    if (Array.isArray(value) && value.every((tag) => typeof tag === "string"))
      return [...new Set(value)];
    throw invalid(name, "a list of names");
  },
  metadata: (value) => value,
  forceFresh(value, name) {
    if (typeof value === "boolean") return value;
    throw invalid(name, "true or false");
  },
  signal(value: AbortSignal, name) {
    if (typeof value?.addEventListener === "function") return value;
    throw invalid(name, "an AbortSignal");
  },
};

/** The names of {@link KeepOptions} and {@link LoadOptions}. */
export const KEEP_OPTIONS: readonly string[] = [
  "ttl",
  "grace",
  "jitter",
  "nullTtl",
  "tags",
  "metadata",
];
export const LOAD_OPTIONS: readonly string[] = Object.keys(READERS);

/**
 * The settings of a call.
 *
 * @param base the values of missing options.
 * @throws {KvError} KV_INVALID_EXPIRES for a bad duration, KV_INVALID_VALUE for any other option
 * that cannot be used, and for a `grace` without a `ttl`.
 */
export function cacheSettings(
  options: LoadOptions | undefined,
  base: CacheSettings,
  names: readonly string[],
  where: string,
): CacheSettings {
  if (options === undefined) return base;
  checkOptions(options, names, where);
  const settings: { [name: string]: unknown } & CacheSettings = { ...base };
  for (const name in options) {
    const value = options[name as keyof LoadOptions];
    const read = READERS[name];
    if (value !== undefined && read !== undefined) settings[name] = read(value as never, name);
  }
  if (options.grace !== undefined && settings.grace > 0 && settings.ttl === null)
    throw invalid("grace", "given with a ttl: a value that stays fresh is never stale");
  return settings;
}
