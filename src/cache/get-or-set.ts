import { KvError } from "../errors.ts";
import { isEarly } from "./entry.ts";
import { isolate } from "./isolate.ts";
import type { L1Item } from "./l1.ts";
import type { Loader } from "./loader.ts";
import { LOAD_OPTIONS, type LoadOptions, cacheSettings } from "./options.ts";
import type { Span } from "../store/tracer.ts";
import { type CacheState, type Load, VALUE_PREFIX } from "./state.ts";
import { checkTags } from "./tag-use.ts";

/** The code of everything but hits in the first tier, which the first call loads. */
let code: typeof import("./resolve.ts") | undefined;
export const loadReads = async (): Promise<typeof import("./resolve.ts")> =>
  (code ??= await import("./resolve.ts"));

/** A fresh value of the first tier. Begins to load it again early, if that is asked for. */
export function fromL1(
  state: CacheState,
  key: string,
  load: Load | null,
  isCounted: boolean = true,
): L1Item | undefined {
  if (state.l1 === null) return undefined;
  const now = Date.now();
  const item = state.l1.get(key, now);
  if (item === undefined) return undefined;
  const { entry } = item;
  if (entry.fresh !== null && !(entry.fresh! > now)) return undefined;
  // Unknown counters of its tags are read with the value.
  if (entry.tags !== undefined && state.tags?.known(entry.tags, now) !== "fresh") return undefined;
  if (isCounted) {
    state.stats.hits++;
    state.stats.l1Hits++;
  }
  const eagerness = load === null ? 0 : load.settings.refreshAhead;
  if (eagerness > 0 && isEarly(entry, eagerness, now))
    void loadReads().then((code) => code.refresh(state, key, load!, entry));
  return item;
}

/** Whether options have the same members as those of the last call, and at least one. */
function isSame(options: LoadOptions, recent: LoadOptions | undefined): boolean {
  if (recent === undefined) return false;
  let count = 0;
  for (const name in options) {
    // The list itself may have changed.
    if (name === "tags" || options[name as keyof LoadOptions] !== recent[name as keyof LoadOptions])
      return false;
    count++;
  }
  return count > 0 && count === Object.keys(recent).length;
}

/** @throws {KvError} for a loader or options that cannot be used. */
export function loadOf(
  state: CacheState,
  loader: unknown,
  options: LoadOptions | undefined,
  where: string,
): Load {
  if (typeof loader !== "function")
    throw new KvError("KV_INVALID_VALUE", `${where} needs a function that loads the value`);
  const { recent } = state;
  if (options !== undefined && isSame(options, recent?.options))
    return { loader: loader as Loader<unknown>, settings: recent!.settings };
  const settings = cacheSettings(options, state.defaults, LOAD_OPTIONS, where);
  checkTags(state.store, settings.tags);
  if (options !== undefined) state.recent = { options: { ...options }, settings };
  return { loader: loader as Loader<unknown>, settings };
}

/** Reads a value, or loads and stores it. */
export function getOrSet(
  state: CacheState,
  key: string,
  loader: unknown,
  options: LoadOptions | undefined,
): Promise<unknown> {
  const { tracer, prefix } = state.context;
  return tracer === undefined
    ? answer(state, key, loader, options, undefined)
    : tracer.run(
        "getOrSet",
        state.context,
        () => (typeof key === "string" ? [prefix + VALUE_PREFIX + key] : []),
        (span) => answer(state, key, loader, options, span),
      );
}

function answer(
  state: CacheState,
  key: string,
  loader: unknown,
  options: LoadOptions | undefined,
  span: Span | undefined,
): Promise<unknown> {
  try {
    const load = loadOf(state, loader, options, "getOrSet()");
    load.span = span;
    const item = load.settings.forceFresh ? undefined : fromL1(state, key, load);
    if (item !== undefined) {
      if (span !== undefined) span.outcome = "hit";
      return Promise.resolve(valueOf(item));
    }
    return code === undefined
      ? loadReads().then(({ resolve }) => resolve(state, key, load))
      : code.resolve(state, key, load);
  } catch (error) {
    return Promise.reject(error as Error);
  }
}

/** A copy of the value of an item. */
export const valueOf = ({ entry, kind }: L1Item): unknown => isolate(entry.value, kind);
