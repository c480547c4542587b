import type { Entry, SetOptions, Store } from "../api.ts";
import type { Counted } from "../clients/adapter.ts";
import { KvError } from "../errors.ts";
import { milliseconds } from "../expires.ts";
import { checkOptions } from "../platform/options.ts";
import { checkAddend, sumOf } from "./increment.ts";
import { countWith } from "./count.ts";
import type { Addition } from "./native-count.ts";
import { kept, swap } from "./swap.ts";

/** Options of {@link hit}. */
export interface HitOptions {
  /** The largest count that is allowed. Default: none. */
  max?: number | undefined;
  /**
   * The hit that passes `max` ends the window after this time from now instead. A number is
   * seconds. Default: the end of the window stays.
   */
  block?: number | string | undefined;
}

/** A count in a window. */
export interface Hit {
  /** Everything that was counted in this window, refused hits too. */
  readonly count: number;
  /** When the window ends, in milliseconds since 1970. */
  readonly resetAt: number;
  /** Whether the count is at most `max`. */
  readonly allowed: boolean;
}

/** The milliseconds of a duration. @throws {KvError} KV_INVALID_EXPIRES unless it is above 0. */
function durationOf(given: unknown, name: string): number {
  const ms = milliseconds(given);
  if (ms > 0 && Number.isFinite(ms)) return Math.ceil(ms);
  throw new KvError(
    "KV_INVALID_EXPIRES",
    `${name} is a duration above 0: seconds, or a string like "1m" or "1500ms"`,
  );
}

/** The hit as it is to be counted. @throws {KvError} for arguments that cannot be used. */
function additionOf(window: unknown, by: unknown, options: HitOptions): Addition & Window {
  checkOptions(options, ["max", "block"], "hit()", "KV_INVALID_EXPIRES");
  checkAddend(by, "hit");
  const { max = Infinity, block } = options;
  if (typeof max !== "number" || Number.isNaN(max) || max < 0)
    throw new KvError("KV_INVALID_VALUE", "max is a number from 0");
  if (block !== undefined && max === Infinity)
    throw new KvError("KV_INVALID_VALUE", "block needs max: without it nothing is refused");
  const now = Date.now();
  const resetAt = now + durationOf(window, "the window");
  return {
    by,
    now,
    resetAt,
    expires: new Date(resetAt),
    min: -Infinity,
    max: Infinity,
    window: { max, blockedUntil: block === undefined ? null : now + durationOf(block, "block") },
  };
}

/** The other parameters of a hit. */
interface Window {
  readonly resetAt: number;
  readonly window: { readonly max: number; readonly blockedUntil: number | null };
}

/** The count after a hit, and the end of its window. The same rules as the script of Redis. */
function countedIn<V>(
  store: Store<V>,
  entry: Entry<V> | null,
  key: string,
  { by, resetAt, window: { max, blockedUntil } }: Addition & Window,
): Counted & { readonly expires: number } {
  const count = Math.max(0, sumOf(store, entry, key, by));
  const isPassed = count > max && count - by <= max;
  const expires = isPassed && blockedUntil !== null ? blockedUntil : (entry?.expires ?? resetAt);
  return { count, expires };
}

/**
 * Counts in a window that is fixed when it starts, and tells in the same step when it ends: the
 * step of a rate limit. The first hit starts the window. On Redis a hit is one script; elsewhere it
 * is a commit, which is made again when another writer was faster.
 *
 * The key has the count as its value, and always has a deadline.
 *
 * @param window how long a window is: seconds, or a string such as `"1m"`.
 * @param by the number to count. A negative number gives back: never below 0, and it starts no
 * window. 0 counts nothing. Default 1.
 * @throws {KvError} KV_INVALID_EXPIRES for a window or a block that is no duration above 0;
 * KV_INVALID_VALUE for unknown options, and when the stored value or `by` is no number;
 * KV_NOT_SUPPORTED when `store.supports.atomic` is `"no"`.
 * @example
 * import kv from "anykv";
 * import { hit } from "anykv/atomic";
 *
 * const store = kv(new Map());
 * const attempt = () => hit(store, "login:ann", "15m", 1, { max: 2 });
 * await attempt();
 * await attempt();
 * const { count, allowed, resetAt } = await attempt();
 * console.log(count, allowed, resetAt > Date.now()); // 3 false true
 */
export async function hit<V>(
  store: Store<V>,
  key: string,
  window: number | string,
  by: number = 1,
  options: HitOptions = {},
): Promise<Hit> {
  const addition = additionOf(window, by, options);
  const byCommit = async (inside: Store<V>): Promise<Counted> => {
    let counted = { count: 0, expires: addition.resetAt };
    await swap(inside, key, (entry) => {
      // Giving back leaves an absent number absent.
      if (entry === null && by <= 0) return undefined;
      counted = countedIn(inside, entry, key, addition);
      if (by === 0 && entry!.expires !== null) return undefined;
      const options: SetOptions = { ...kept(entry, undefined), expires: new Date(counted.expires) };
      return { value: counted.count, options };
    });
    return counted;
  };
  const counted = await countWith(store, key, addition, byCommit);
  const { count, expires } = counted ?? { count: 0, expires: null };
  return { count, resetAt: expires ?? addition.resetAt, allowed: count <= addition.window.max };
}
