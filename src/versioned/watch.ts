import type { Store } from "../api.ts";
import type { Ending } from "../concurrency/abort.ts";
import { KvError } from "../errors.ts";
import { checkOptions } from "../platform/options.ts";
import { contextOf } from "../store/store.ts";
import { publish as tellAll, watchKeys as watchAll, type Watched } from "../concurrency/changes.ts";
import { UNVERSIONED } from "./entry.ts";
import type { MaybeEntry, WatchOptions } from "./types.ts";

// All versioned stores over one connection hear each other, whatever their prefixes.
function watched(store: Store<unknown>, texts: readonly string[]): Watched {
  const { connection, prefix } = contextOf(store) ?? { connection: store, prefix: "" };
  return { connection, keys: texts.map((text) => prefix + text) };
}

/** Tells those who watch that these keys were written. */
export function publishKeys(store: Store<unknown>, texts: readonly string[]): void {
  tellAll(watched(store, texts));
}

/** What is told apart: the versions of entries. */
function stateOf(entries: readonly MaybeEntry[]): string {
  if (entries.some(({ version }) => version === UNVERSIONED))
    throw new KvError(
      "KV_NOT_SUPPORTED",
      "this client keeps no versions, so that changes cannot be told: read it instead",
    );
  return entries.map(({ version }) => String(version)).join();
}

/**
 * A stream of what is under some keys: now, and whenever one of them has changed.
 *
 * @throws {KvError} at once KV_INVALID_VALUE when `interval` is not a duration. The stream fails
 * with KV_CLOSED when the store is closed already, and with what reading fails with.
 */
export function watch(
  store: Store<unknown>,
  texts: readonly string[],
  read: () => Promise<MaybeEntry[]>,
  closed: Ending | undefined,
  options: WatchOptions = {},
): ReadableStream<MaybeEntry[]> {
  checkOptions(options, ["raw", "interval"], "watch()");
  const { raw = false, interval = 1 } = options;
  const reading = async (): Promise<{ value: MaybeEntry[]; state: string }> => {
    const value = await read();
    return { value, state: stateOf(value) };
  };
  return watchAll(watched(store, texts), reading, { raw, interval, closed });
}
