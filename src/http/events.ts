import type { Entry } from "../api.ts";
import { entryOf, missing } from "../versioned/entry.ts";
import type { MaybeEntry } from "../versioned/types.ts";
import { watch } from "../versioned/watch.ts";
import { errorBody } from "./reply.ts";
import type { Space } from "./space.ts";

/**
 * How often something is sent at least, so that nobody in between takes the connection for dead:
 * the server of Bun does after 10 seconds.
 */
const HEARTBEAT = 5000;

/** How event streams are made. */
export interface EventOptions {
  /** How often to look for changes by others: seconds, or a string such as `"500ms"`. */
  readonly interval: number | string;
  /** Ends all of them. */
  readonly closing: AbortSignal | undefined;
}

/** All entries under some keys, however large they are. */
async function entriesOf(
  space: Space,
  keys: readonly string[],
): Promise<(Entry<unknown> | null)[]> {
  const found: (Entry<unknown> | null)[] = [];
  while (found.length < keys.length)
    found.push(...(await space.get(keys.slice(found.length), true)));
  return found;
}

/**
 * The entries under some keys as server-sent events: now, and again whenever one of them has
 * changed. Nothing is read while nobody takes what is there. `ended` is called once, when it is
 * over.
 */
export function eventsOf(
  space: Space,
  keys: readonly string[],
  { interval, closing }: EventOptions,
  ended: () => void,
): ReadableStream<Uint8Array> {
  let entries: (Entry<unknown> | null)[] = [];
  const read = async (): Promise<MaybeEntry[]> => {
    entries = await entriesOf(space, keys);
    return entries.map((entry) =>
      entry === null ? missing([]) : entryOf([], { ...entry, value: null }),
    );
  };
  const states = watch(space.data, keys, read, closing, { interval }).getReader();
  const encoder = new TextEncoder();
  const event = (name: string, data: unknown): Uint8Array =>
    encoder.encode(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
  let next: Promise<Uint8Array | null> | null = null;

  let hasFailed = false;
  const changed = async (): Promise<Uint8Array | null> => {
    if (hasFailed) return null;
    try {
      const { done } = await states.read();
      return done ? null : event("entries", { entries });
    } catch (error) {
      hasFailed = true;
      return event("error", errorBody(error, space.prefix));
    }
  };

  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        next ??= changed();
        let timer: ReturnType<typeof setTimeout> | undefined;
        const heartbeat = new Promise<"heartbeat">((resolve) => {
          timer = setTimeout(() => resolve("heartbeat"), HEARTBEAT);
        });
        const chunk = await Promise.race([next, heartbeat]);
        clearTimeout(timer);
        if (chunk === "heartbeat") return controller.enqueue(encoder.encode(":\n\n"));
        next = null;
        if (chunk !== null) return controller.enqueue(chunk);
        ended();
        return controller.close();
      },
      cancel() {
        ended();
        return states.cancel();
      },
    },
    { highWaterMark: 0 },
  );
}
