import { type Ending } from "../../concurrency/abort.ts";
import { durationOf, MOST_INTERVAL } from "../../concurrency/interval.ts";
import type { StoreContext } from "../context.ts";
import { closedError } from "../failure.ts";
import { load } from "../../platform/load.ts";
import type { OpenWatch } from "./index.ts";
import type { Found } from "./watcher.ts";

/** The value that was read, and a text that differs for each state. */
export interface Reading<T> {
  readonly value: T;
  readonly state: string;
}

/** Options of {@link stateStream}. */
export interface StateStreamOptions {
  /**
   * The time between two looks at a client that reports no changes: seconds, or a string such as
   * `"500ms"`.
   */
  readonly interval: number | string;
  /** Whether a reported write counts that left the state as it was. */
  readonly raw: boolean;
  /** Whether `read` finds something where there is no record. Default `false`. */
  readonly foreign?: boolean;
  /** Ends the stream. */
  readonly closed?: Ending | undefined;
}

/**
 * A stream of the results of `read` for some full keys: the current one, and each later one. States
 * that follow each other fast may be left out, the last one never is. Nothing is asked of the
 * client while the stream is not read.
 *
 * @throws {KvError} KV_INVALID_VALUE at once when `interval` is not a duration. The stream fails
 * with KV_CLOSED when `closed` has ended already, and with the error of a failed read.
 */
export function stateStream<T>(
  context: StoreContext,
  keys: readonly string[],
  read: () => Promise<Reading<T>>,
  { interval, raw, closed, foreign = false }: StateStreamOptions,
): ReadableStream<T> {
  const milliseconds = durationOf("interval", interval, MOST_INTERVAL);
  let watch: OpenWatch<Found> | null = null;
  let last: string | null = null;
  let isOver = false;
  let close = (): void => {};
  const end = (): void => {
    isOver = true;
    watch?.close();
    closed?.removeEventListener("abort", close);
  };
  /** Waits for the next change; `false` when there will be none. */
  const changed = async (): Promise<boolean> => {
    if (watch !== null) return (await watch.next()) !== null;
    const { timeout } = context;
    const options = { initial: false, interval: milliseconds, timeout, foreign, raw };
    const { watchRecords } = await load();
    watch = watchRecords(context, { keys, prefix: null }, options);
    await watch.ready;
    return true;
  };

  return new ReadableStream<T>(
    {
      start(controller) {
        if (closed?.aborted) throw closedError(context.connection);
        if (keys.length === 0) return controller.close();
        close = () => {
          end();
          controller.close();
        };
        closed?.addEventListener("abort", close);
      },
      async pull(controller) {
        for (;;) {
          if (isOver) return;
          try {
            const isChanged = await changed();
            // The stream was closed meanwhile.
            if (isOver) return;
            if (!isChanged) throw closedError(context.connection);
            const { value, state } = await read();
            if (isOver) return;
            if (state === last && !raw) continue;
            last = state;
            return controller.enqueue(value);
          } catch (error) {
            if (isOver) return;
            end();
            throw error;
          }
        }
      },
      cancel: end,
    },
    { highWaterMark: 0 },
  );
}
