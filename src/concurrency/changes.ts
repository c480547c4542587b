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

/** Publishes that these keys were written. */
export function publish({ connection, keys }: Watched): void {
  const heard = listeners.get(connection);
  if (heard === undefined || heard.size === 0) return;
  const changed = new Set(keys);
  for (const listener of [...heard]) listener(changed);
}

/** Calls a listener after each write, until the returned function is called. */
export function listen(connection: object, listener: Listener): () => void {
  const heard = listeners.get(connection) ?? new Set<Listener>();
  listeners.set(connection, heard.add(listener));
  return () => heard.delete(listener);
}

/** The source of a stream of {@link watchKeys}. */
class Watch<T> implements UnderlyingDefaultSource<T> {
  readonly #watched: Watched;
  readonly #read: () => Promise<Reading<T>>;
  readonly #milliseconds: number;
  readonly #raw: boolean;
  readonly #closed: Ending | undefined;
  readonly #over = new AbortController();
  #last: string | null = null;
  #isTold = true;
  #wake = (): void => {};
  #end = (): void => {};

  constructor(watched: Watched, read: () => Promise<Reading<T>>, options: Watching) {
    this.#watched = watched;
    this.#read = read;
    this.#milliseconds = durationOf("interval", options.interval, MOST_INTERVAL);
    this.#raw = options.raw;
    this.#closed = options.closed;
  }

  start(controller: ReadableStreamDefaultController<T>): void {
    const closed = this.#closed;
    const { connection, keys } = this.#watched;
    if (closed?.aborted) throw new KvError("KV_CLOSED", "this store was closed: make a new one");
    if (keys.length === 0) return controller.close();
    const close = (): void => {
      this.#end();
      controller.close();
    };
    const stopListening = listen(connection, (changed) => {
      if (!keys.some((key) => changed.has(key))) return;
      this.#isTold = true;
      this.#wake();
    });
    closed?.addEventListener("abort", close);
    this.#end = () => {
      this.#over.abort();
      stopListening();
      closed?.removeEventListener("abort", close);
      this.#wake();
    };
  }

  async pull(controller: ReadableStreamDefaultController<T>): Promise<void> {
    const { signal } = this.#over;
    while (!signal.aborted) {
      if (!this.#isTold) await this.#pause();
      if (signal.aborted) return;
      const isRewritten = this.#isTold && this.#raw;
      this.#isTold = false;
      try {
        const { value, state } = await this.#read();
        if (signal.aborted) return;
        if (state === this.#last && !isRewritten) continue;
        this.#last = state;
        return controller.enqueue(value);
      } catch (error) {
        // A store that was closed meanwhile cannot be read any more: the stream has ended.
        if (signal.aborted) return;
        this.#end();
        throw error;
      }
    }
  }

  cancel(): void {
    this.#end();
  }

  /** Waits for a write that was published here, or for the next look. */
  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, this.#milliseconds);
      // Waiting for changes alone does not keep a program alive.
      (timer as { unref?: () => void }).unref?.();
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/**
 * A stream of the state of some keys: now, and after each change. When changes follow each other
 * fast, only the last state is certain to come. The client is read only while the stream is read.
 *
 * @throws {KvError} KV_INVALID_VALUE at once when `interval` is not a duration. The stream fails
 * with KV_CLOSED when it is closed already, and with what reading fails with.
 */
export function watchKeys<T>(
  watched: Watched,
  read: () => Promise<Reading<T>>,
  options: Watching,
): ReadableStream<T> {
  return new ReadableStream<T>(new Watch(watched, read, options), { highWaterMark: 0 });
}
