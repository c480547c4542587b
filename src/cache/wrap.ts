import { KvError } from "../errors.ts";
import { checkOptions } from "../platform/options.ts";
import { loadOf } from "./get-or-set.ts";
import { LOAD_OPTIONS, type LoadOptions } from "./options.ts";
import type { CacheState } from "./state.ts";

/** Options of `wrap()`. */
export interface WrapOptions<A extends readonly unknown[]> extends LoadOptions {
  /** The key for the arguments of a call. */
  key: (...args: A) => string;
}

/** A function whose results are cached. `read` is `getOrSet()`. */
export function wrap<A extends readonly unknown[], T>(
  state: CacheState,
  read: (key: string, loader: () => T | Promise<T>, options: LoadOptions) => Promise<T>,
  fn: (...args: A) => T | Promise<T>,
  options: WrapOptions<A>,
): (...args: A) => Promise<T> {
  checkOptions(options, ["key", ...LOAD_OPTIONS], "wrap()");
  if (typeof options?.key !== "function")
    throw new KvError("KV_INVALID_VALUE", "key of wrap() has to be a function of the arguments");
  const { key, ...rest } = options;
  // Bad options are rejected here, and not by the first call.
  loadOf(state, fn, rest, "wrap()");
  return async (...args) => read(key(...args), () => fn(...args), rest);
}
