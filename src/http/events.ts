import { errorBody } from "./reply.ts";
import type { EventOptions, Space } from "./space.ts";

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
  const next = async (): Promise<string | null> => {
    try {
      const { value, done } = await reader.read();
      return done ? null : eventText("entries", { entries: value });
    } catch (error) {
      // The stream ends behind this event.
      return errorEvent(error, space.prefix);
    }
  };
  let isFailed = false;
  const nextOrEnd = async (): Promise<string | null> => {
    if (isFailed) return null;
    const text = await next();
    isFailed = text?.startsWith("event: error") === true;
    return text;
  };
  return eventStream(nextOrEnd, () => {
    void reader.cancel().catch(() => {});
    ended();
  });
}

/** How many keys an event names at most. */
const MOST_NAMED = 100;

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
  const watches = prefixes.map((prefix) => space.changes(prefix, interval));
  const changed = new Set<string>();
  const state: { error?: unknown; isOver: boolean } = { isOver: false };
  let isReady = false;
  let wake = (): void => {};
  const end = (): void => {
    state.isOver = true;
    for (const watch of watches) watch.close();
    closed?.removeEventListener("abort", end);
    wake();
  };
  closed?.addEventListener("abort", end);
  for (const watch of watches) {
    const gather = async (): Promise<void> => {
      for (;;) {
        // No more is gathered than the client takes.
        if (changed.size >= MOST_NAMED) await new Promise<void>((resolve) => (resume = resolve));
        const found = await watch.next();
        if (found === null) return;
        changed.add(found.key.slice(space.prefix.length));
        wake();
      }
    };
    void watch.ready.then(gather).catch((reason) => {
      state.error ??= reason;
      wake();
    });
  }
  let resume = (): void => {};
  const next = async (): Promise<string | null> => {
    if (!isReady && !state.isOver) {
      await Promise.all(watches.map(({ ready }) => ready)).catch(() => {});
      isReady = true;
      if (state.error === undefined) return eventText("ready", {});
    }
    while (changed.size === 0 && state.error === undefined && !state.isOver)
      await new Promise<void>((resolve) => (wake = resolve));
    if (state.isOver) return null;
    if (changed.size > 0) {
      const keys = [...changed];
      changed.clear();
      resume();
      return eventText("changed", { keys });
    }
    const reason = state.error;
    end();
    return errorEvent(reason, space.prefix);
  };
  return eventStream(next, () => {
    end();
    ended();
  });
}
