import { KvError } from "../errors.ts";
import { type CacheEntry, cachedEntry } from "./entry.ts";
import { foundOf } from "./find.ts";
import { fromL1, loadOf, valueOf } from "./get-or-set.ts";
import type { LoadContext } from "./loader.ts";
import type { LoadOptions } from "./options.ts";
import { resolve } from "./resolve.ts";
import {
  type CacheState,
  checkCacheKey,
  type FoundEntry,
  VALUE_PREFIX,
  withoutStore,
} from "./state.ts";
import type { Span } from "../store/tracer.ts";
import { tagsOf } from "./tag-use.ts";

/** The second argument of a loader of many values. */
export type ManyContext = Pick<LoadContext, "signal">;

/** Loads the values of keys that are not cached, in the order of the keys. */
export type ManyLoader<T> = (
  keys: readonly string[],
  context: ManyContext,
) => readonly T[] | Promise<readonly T[]>;

/** Gathers the keys that have to be loaded, and calls the loader once for all of them. */
class Batch {
  readonly #loader: ManyLoader<unknown>;
  #undecided: Set<string>;
  #keys: string[] = [];
  readonly #loaded: Promise<Map<string, unknown>>;
  #settle!: (loaded: Promise<Map<string, unknown>>) => void;
  readonly #controller = new AbortController();

  constructor(loader: ManyLoader<unknown>, keys: readonly string[]) {
    this.#loader = loader;
    this.#undecided = new Set(keys);
    this.#loaded = new Promise((resolve) => (this.#settle = resolve));
  }

  /** The value of a key, once it is known which others have to be loaded with it. */
  async load(key: string, { signal }: LoadContext): Promise<unknown> {
    // It had to wait for another process, and the others did not wait for it.
    if (!this.#undecided.has(key)) return (await this.#call([key], { signal })).get(key);
    this.#keys.push(key);
    this.decided(key);
    const stop = (): void => this.#controller.abort(signal.reason);
    signal.addEventListener("abort", stop);
    try {
      return (await this.#loaded).get(key);
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  /** A key that is loaded with the others, or not at all for now. */
  decided(key: string): void {
    if (!this.#undecided.delete(key) || this.#undecided.size > 0 || this.#keys.length === 0) return;
    this.#settle(this.#call(this.#keys, { signal: this.#controller.signal }));
  }

  async #call(keys: readonly string[], context: ManyContext): Promise<Map<string, unknown>> {
    const values = await this.#loader(keys, context);
    if (!Array.isArray(values) || values.length !== keys.length)
      throw new KvError(
        "KV_INVALID_VALUE",
        "the loader of getOrSetMany() has to return a list with a value for each of its keys",
      );
    return new Map(keys.map((key, i) => [key, values[i]]));
  }
}

/** Reads values, and loads those that are missing by one call of the loader. */
export function getOrSetMany(
  state: CacheState,
  keys: readonly string[],
  loader: unknown,
  options: LoadOptions | undefined,
): Promise<unknown[]> {
  const { tracer, prefix } = state.context;
  const unique = [...new Set(keys)];
  const answer = async (span?: Span): Promise<unknown[]> => {
    const values = await answerMany(state, unique, loader, options, span);
    return keys.map((key) => values.get(key));
  };
  if (tracer === undefined) return answer();
  const fullKeys = (): string[] =>
    unique.filter((key) => typeof key === "string").map((key) => prefix + VALUE_PREFIX + key);
  return tracer.run("getOrSetMany", state.context, fullKeys, answer);
}

async function answerMany(
  state: CacheState,
  unique: readonly string[],
  loader: unknown,
  options: LoadOptions | undefined,
  span: Span | undefined,
): Promise<Map<string, unknown>> {
  const base = loadOf(state, loader, options, "getOrSetMany()");
  for (const key of unique) checkCacheKey(state, key);
  const values = new Map<string, unknown>();
  if (!base.settings.forceFresh) {
    for (const key of unique) {
      const item = fromL1(state, key, null);
      if (item !== undefined) values.set(key, valueOf(item));
    }
  }
  let hits = values.size;
  const missing = unique.filter((key) => !values.has(key));
  const batch = new Batch(loader as ManyLoader<unknown>, missing);
  let reading: Promise<Map<string, FoundEntry>> | undefined;
  const read = async (key: string): Promise<FoundEntry> =>
    (await (reading ??= findMany(state, missing))).get(key)!;
  await Promise.all(
    missing.map(async (key) => {
      const idle = (): void => batch.decided(key);
      const found: Span = {};
      const load = {
        ...base,
        loader: (context: LoadContext) => batch.load(key, context),
        idle,
        span: span && found,
      };
      try {
        values.set(key, await resolve(state, key, load, () => read(key)));
        if (found.outcome === "hit") hits++;
      } finally {
        idle();
      }
    }),
  );
  const count = unique.length;
  if (span !== undefined)
    Object.assign(span, { outcome: hits === count ? "hit" : "miss", count, hits });
  return values;
}

/** Reads keys by one read, and their tags by another. */
async function findMany(
  state: CacheState,
  keys: readonly string[],
): Promise<Map<string, FoundEntry>> {
  try {
    return await state.breaker.ask(async () => {
      const stored = await state.values.getMany(keys);
      const entries = stored.map((value, i): CacheEntry | null => cachedEntry(value, keys[i]!));
      const tagged = entries.map((entry) => entry?.tags ?? []);
      const tags = tagged.every((each) => each.length === 0)
        ? []
        : await (await tagsOf(state)).look(tagged);
      return new Map(
        keys.map((key, i) => {
          const entry = entries[i]!;
          return [key, foundOf(entry, entry === null ? null : undefined, tags[i])];
        }),
      );
    });
  } catch (error) {
    withoutStore(state, error, keys[0]!);
    const found: FoundEntry = {
      entry: null,
      version: undefined,
      freshness: "absent",
      isRead: false,
    };
    return new Map(keys.map((key) => [key, found]));
  }
}
