import { errorBody } from "./reply.ts";
import type { EventOptions, Space } from "./space.ts";
import type { OpenWatch } from "../store/watch/index.ts";
import type { Found } from "../store/watch/watcher.ts";

/**
 * How often something is sent at least, in milliseconds: servers and proxies close connections that
 * are silent, the server of Bun after 10 seconds.
 */
const HEARTBEAT = 5000;

const eventText = (name: string, data: unknown): string =>
  `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;

/** The event that says why a stream ends. */
export const errorEvent = (error: unknown, prefix: string): string =>
  eventText("error", errorBody(error, prefix));

/**
 * A stream of server-sent events. `next` resolves to the next event, or to `null` at the end. It is
 * not called while nothing is read. `ended` is called once, when the stream is over.
 */
function eventStream(
  next: () => Promise<string | null>,
  ended: () => void,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let pending: Promise<string | null> | null = null;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        pending ??= next();
        let timer: ReturnType<typeof setTimeout> | undefined;
        const heartbeat = new Promise<"heartbeat">((resolve) => {
          timer = setTimeout(() => resolve("heartbeat"), HEARTBEAT);
        });
        const chunk = await Promise.race([pending, heartbeat]);
        clearTimeout(timer);
        if (chunk === "heartbeat") return controller.enqueue(encoder.encode(":\n\n"));
        pending = null;
        if (chunk !== null) return controller.enqueue(encoder.encode(chunk));
        ended();
        return controller.close();
      },
      cancel: ended,
    },
    { highWaterMark: 0 },
  );
}

/** The entries under some keys as events: now, and again whenever one of them has changed. */
export function entryEvents(
  space: Space,
  keys: readonly string[],
  options: EventOptions,
  ended: () => void,
): ReadableStream<Uint8Array> {
  if (options.closed?.aborted) return eventStream(async () => null, ended);
  const reader = space.states(keys, options).getReader();
  let isFailed = false;
  const next = async (): Promise<string | null> => {
    if (isFailed) return null;
    try {
      const { value, done } = await reader.read();
      return done ? null : eventText("entries", { entries: value });
    } catch (error) {
      // The stream ends behind this event.
      isFailed = true;
      return errorEvent(error, space.prefix);
    }
  };
  return eventStream(next, () => {
    void reader.cancel().catch(() => {});
    ended();
  });
}

/** How many keys an event names at most. */
const MOST_NAMED = 100;

/** Gathers the keys that change under some prefixes, until its consumer takes them. */
class ChangedKeys {
  readonly #space: Space;
  readonly #watches: Promise<OpenWatch<Found>>[];
  readonly #keys = new Set<string>();
  #error: unknown;
  #isOver = false;
  #wake = (): void => {};
  #taken = (): void => {};
  /** Resolves when every later change will be gathered. */
  readonly ready: Promise<void>;

  constructor(space: Space, prefixes: readonly string[], interval: number) {
    this.#space = space;
    this.#watches = prefixes.map((prefix) => space.changes(prefix, interval));
    this.ready = this.#start();
    // The stream reports the error, if it is read.
    this.ready.catch(() => {});
  }

  async #start(): Promise<void> {
    await Promise.all(this.#watches.map(async (watch) => (await watch).ready));
    for (const watch of this.#watches) void this.#gather(watch);
  }

  async #gather(opening: Promise<OpenWatch<Found>>): Promise<void> {
    try {
      const watch = await opening;
      for (;;) {
        // No more is gathered than the consumer takes.
        if (this.#keys.size >= MOST_NAMED)
          await new Promise<void>((resolve) => (this.#taken = resolve));
        const found = await watch.next();
        if (found === null) return this.close();
        this.#keys.add(found.key.slice(this.#space.prefix.length));
        this.#wake();
      }
    } catch (error) {
      this.#error ??= error;
      this.#wake();
    }
  }

  /** The keys that have changed since the last call; `null` when it is over. */
  async take(): Promise<string[] | null> {
    for (;;) {
      if (this.#isOver) return null;
      if (this.#keys.size > 0) break;
      if (this.#error !== undefined) throw this.#error;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    const keys = [...this.#keys];
    this.#keys.clear();
    this.#taken();
    return keys;
  }

  close(): void {
    this.#isOver = true;
    for (const opening of this.#watches)
      opening.then(
        (watch) => watch.close(),
        () => {},
      );
    this.#wake();
  }
}

/**
 * The names of the keys that change under some prefixes, as events. The first event says that every
 * later change is reported.
 */
export function changeEvents(
  space: Space,
  prefixes: readonly string[],
  { interval, closed }: EventOptions,
  ended: () => void,
): ReadableStream<Uint8Array> {
  if (closed?.aborted) return eventStream(async () => null, ended);
  const changed = new ChangedKeys(space, prefixes, interval);
  const close = (): void => changed.close();
  closed?.addEventListener("abort", close);
  const end = (): void => {
    closed?.removeEventListener("abort", close);
    changed.close();
    ended();
  };
  let isReady = false;
  let isFailed = false;
  const next = async (): Promise<string | null> => {
    if (isFailed) return null;
    try {
      if (!isReady) {
        await changed.ready;
        isReady = true;
        return eventText("ready", {});
      }
      const keys = await changed.take();
      return keys && eventText("changed", { keys });
    } catch (error) {
      // The stream ends behind this event.
      isFailed = true;
      return errorEvent(error, space.prefix);
    }
  };
  return eventStream(next, end);
}
