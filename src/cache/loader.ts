import { type CacheEntry, freshnessOf } from "./entry.ts";
import type { LoadEnd } from "./load-end.ts";
import { KEEP_OPTIONS, type KeepOptions, type CacheSettings, cacheSettings } from "./options.ts";

/** The argument of a loader. */
export interface LoadContext {
  /** Aborted when no caller waits any more, and when the cache is closed. */
  readonly signal: AbortSignal;
  /** The value that is being replaced; `null` when there is none. */
  readonly stale: { readonly value: unknown; readonly metadata: unknown } | null;
  /**
   * Sets options of the value after it was loaded.
   *
   * @throws {KvError} as the options of the call.
   */
  setOptions(options: KeepOptions): void;
  /** Returns a value that is not cached. A stale value stays where it is. */
  skip<T>(value: T): T;
  skip(): undefined;
  /** Ends the load as a failure: a stale value is served, or the caller is rejected. */
  fail(reason?: unknown): never;
}

/** Loads a value that is not cached. */
export type Loader<T> = (context: LoadContext) => T | Promise<T>;

/** A running loader, and the options that it has set for its value. */
export class LoadRun {
  settings: CacheSettings;
  isSkipped = false;
  readonly context: LoadContext;
  readonly #end: LoadEnd;

  constructor(settings: CacheSettings, before: CacheEntry | null, end: LoadEnd) {
    this.settings = settings;
    this.#end = end;
    const hasStale = freshnessOf(before, Date.now()) !== "absent";
    const skip = <T>(value?: T): T => {
      this.isSkipped = true;
      return value as T;
    };
    this.context = {
      get signal() {
        return end.signal;
      },
      stale: hasStale ? { value: before!.value, metadata: before!.metadata ?? null } : null,
      setOptions: (options) => {
        this.settings = cacheSettings(options, this.settings, KEEP_OPTIONS, "setOptions()");
      },
      skip,
      fail(reason = "the loader failed") {
        throw reason instanceof Error ? reason : new Error(String(reason));
      },
    };
  }

  /** Calls the loader. Rejects as soon as the load is to end, even if the loader goes on. */
  run(loader: Loader<unknown>): Promise<unknown> {
    return this.#end.during(() => loader(this.context));
  }
}
