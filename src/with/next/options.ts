import type { Store } from "../../api.ts";
import { KvError } from "../../errors.ts";
import { checkOptions } from "../../platform/options.ts";
import { requireAtomic, requireStore } from "../../store/require-store.ts";
import { NextTags } from "./tags.ts";

/** Options of {@link nextCacheHandlers} and {@link nextCacheHandler}. */
export interface NextOptions {
  /** A literal text before all keys. Default `""`. */
  prefix?: string | undefined;
  /** Gets the errors of reads, which count as misses, and of writes. Default `console.error`. */
  onError?: ((error: unknown) => void) | undefined;
}

export interface OpenNext {
  readonly base: Store;
  readonly tags: NextTags;
  readonly onError: (error: unknown) => void;
}

/** Checks the options. Both kinds of handlers share the tags under a prefix. */
export function openNext(store: Store, options: NextOptions, where: string): OpenNext {
  checkOptions(options, ["prefix", "onError"], where);
  requireStore(store, where);
  requireAtomic(store, "Next.js");
  const { prefix, onError = console.error } = options;
  if (typeof onError !== "function") throw new KvError("KV_INVALID_VALUE", "onError is a function");
  const base = store.prefix(prefix);
  return { base, tags: new NextTags(base), onError };
}
