import { LONGEST } from "../concurrency/timeout-option.ts";
import { isKvError } from "../errors.ts";
import { cachedEntry } from "./entry.ts";
import { type CacheState, report } from "./state.ts";
import { unref } from "../platform/unref.ts";

/** The first and the longest pause between two looks, in milliseconds. */
const [FIRST_LOOK, LAST_LOOK] = [10, 250];
/** How long a watch that was lost is left alone, in milliseconds. */
const PAUSE = 1000;

/** A record that is waited for. */
export interface Awaited {
  /** The version that was seen; `null` for an absent record. */
  readonly version: string | null;
  /** When to look again at the latest, in milliseconds since 1970. */
  readonly until: number;
  /** How often the caller has waited before. */
  readonly attempt: number;
  readonly signal: AbortSignal;
}

/** Resolves when a key may have changed. */
export async function untilChanged(
  { values }: CacheState,
  key: string,
  { version, until, attempt, signal }: Awaited,
): Promise<void> {
  const left = Math.max(1, until - Date.now());
  // Random, so that processes that wait together do not look together.
  const chance = 0.5 + Math.random() / 2;
  const isReported = values.supports.watch === "native";
  const pause = isReported ? left + 10 * chance : Math.min(LAST_LOOK, FIRST_LOOK * 1.5 ** attempt);
  const ending = new AbortController();
  const end = (): void => ending.abort();
  const timer = setTimeout(end, Math.min(LONGEST, isReported ? pause : pause * chance, left + 10));
  signal.addEventListener("abort", end);
  try {
    if (!isReported)
      return await new Promise((resolve) =>
        ending.signal.addEventListener("abort", () => resolve()),
      );
    for await (const { entry } of values.watch(key, { initial: true, signal: ending.signal }))
      if ((entry?.version ?? null) !== version) return;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", end);
  }
}

/** Keeps the first tier equal to the store, where the store reports its changes. */
export async function followChanges(state: CacheState): Promise<void> {
  const { values } = state;
  const ending = new AbortController();
  state.stop = () => ending.abort();
  // The capabilities behind a promise of a client are known when it is settled.
  await values.has("ready").catch(() => false);
  if (values.supports.watch !== "native") return;
  for (;;) {
    try {
      for await (const { key, entry } of values.watch({ prefix: "" }, { signal: ending.signal })) {
        const lookup = state.lookups.get(key);
        if (lookup !== undefined) lookup.isChanged = true;
        const cached = entry && cachedEntry(entry.value, key);
        state.l1?.follow(key, cached, entry && entry.version, Date.now());
      }
      // The cache or the store was closed.
      return;
    } catch (error) {
      if (state.isClosed || isKvError(error, "KV_CLOSED")) return;
      report(state, error, { key: undefined, during: "store" });
    }
    // Changes may have been missed.
    state.l1?.clear();
    await new Promise((resolve) => {
      const timer: unknown = setTimeout(resolve, PAUSE);
      // It keeps no process of Node alive.
      unref(timer);
    });
  }
}
