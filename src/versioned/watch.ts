import { checkOptions } from "../platform/options.ts";
import type { Ending } from "../concurrency/abort.ts";
import { KvError } from "../errors.ts";
import type { StoreContext } from "../store/context.ts";
import { stateStream } from "../store/watch/state-stream.ts";
import { UNVERSIONED } from "./entry.ts";
import type { MaybeEntry, WatchOptions } from "./types.ts";

/** The text of the versions, by which entries are told apart. */
function stateOf(entries: readonly MaybeEntry[]): string {
  if (entries.some(({ version }) => version === UNVERSIONED))
    throw new KvError(
      "KV_NOT_SUPPORTED",
      "this client keeps no versions, so that changes cannot be told: read it instead",
    );
  return entries.map(({ version }) => String(version)).join();
}

/**
 * A stream of the entries under some keys: the current ones, and again whenever one has changed.
 *
 * @throws {KvError} at once KV_INVALID_VALUE when `interval` is not a duration. The stream fails
 * with KV_CLOSED when the store is closed already, and with the error of a failed read.
 */
export function watch(
  context: StoreContext,
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
  const keys = [...new Set(texts)].map((text) => context.prefix + text);
  return stateStream(context, keys, reading, { raw, interval, closed });
}
