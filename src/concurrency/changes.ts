import type { Ending } from "./abort.ts";
import { durationOf, MOST_INTERVAL } from "./interval.ts";
import { KvError } from "../errors.ts";

/**
 * Keys of one client, as it sees them: all watches over one connection hear each other's writes,
 * whatever their prefixes.
 */
export interface Watched {
  readonly connection: object;
  readonly keys: readonly string[];
}

/** What was read, and the text by which one state is told from another. */
export interface Reading<T> {
  readonly value: T;
  readonly state: string;
}

/** How a watch goes. */
export interface Watching {
  /**
   * The time between two looks where no change is published: seconds, or a string such as
   * `"500ms"`.
   */
  readonly interval: number | string;
  /** Whether every write that is told counts, also one that leaves the state as it was. */
  readonly raw: boolean;
  /** Ends the watch. */
  readonly closed?: Ending | undefined;
}

type Listener = (changed: ReadonlySet<string>) => void;

const listeners = new WeakMap<object, Set<Listener>>();

/** Tells those who watch that these keys were written. */
export function publish({ connection, keys }: Watched): void {
  const heard = listeners.get(connection);
  if (heard === undefined || heard.size === 0) return;
  const changed = new Set(keys);
  for (const listener of [...heard]) listener(changed);
}

/** Calls a listener after each write, until the function that is returned is called. */
export function listen(connection: object, listener: Listener): () => void {
  const heard = listeners.get(connection) ?? new Set<Listener>();
  listeners.set(connection, heard.add(listener));
  return () => heard.delete(listener);
}

/**
 * A stream of what is under some keys: now, and whenever it has changed. States that follow each
 * other fast may be left out, the last one never is. Reading is what drives it: nothing is asked
 * for while nobody reads.
 *
 * @throws {KvError} KV_INVALID_VALUE at once when `interval` is not a duration. The stream fails
 * with KV_CLOSED when it is closed already, and with what reading fails with.
 */
export function watchKeys<T>(
  { connection, keys }: Watched,
  read: () => Promise<Reading<T>>,
  { interval, raw, closed }: Watching,
): ReadableStream<T> {
  const milliseconds = durationOf("interval", interval, MOST_INTERVAL);
  let last: string | null = null;
  let isTold = true;
  const over = new AbortController();
  let wake = (): void => {};
  let end = (): void => {};

  /** Until something was written here, or it is time to look again. */
  const pause = (): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      // Somebody who only waits for changes does not keep a program alive.
      (timer as { unref?: () => void }).unref?.();
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });

  return new ReadableStream<T>(
    {
      start(controller) {
        if (closed?.aborted)
          throw new KvError("KV_CLOSED", "this store was closed: make a new one");
        if (keys.length === 0) return controller.close();
        const close = (): void => {
          end();
          controller.close();
        };
        const stopListening = listen(connection, (changed) => {
          if (!keys.some((key) => changed.has(key))) return;
          isTold = true;
          wake();
        });
        closed?.addEventListener("abort", close);
        end = () => {
          over.abort();
          stopListening();
          closed?.removeEventListener("abort", close);
          wake();
        };
      },
      async pull(controller) {
        while (!over.signal.aborted) {
          if (!isTold) await pause();
          if (over.signal.aborted) return;
          const isRewritten = isTold && raw;
          isTold = false;
          try {
            const { value, state } = await read();
            if (over.signal.aborted) return;
            if (state === last && !isRewritten) continue;
            last = state;
            return controller.enqueue(value);
          } catch (error) {
            // Whoever was closed in the meantime cannot be read, and need not be.
            if (over.signal.aborted) return;
            end();
            throw error;
          }
        }
      },
      cancel: () => end(),
    },
    { highWaterMark: 0 },
  );
}
