import type { Entry } from "../api.ts";
import { KvError } from "../errors.ts";
import { errorBody } from "./reply.ts";
import type { Watchers } from "./watchers.ts";

/**
 * How often something is sent at least, so that nobody in between takes the connection for dead:
 * the server of Bun does after 10 seconds.
 */
const HEARTBEAT = 5000;

const eventText = (name: string, data: unknown): string =>
  `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;

/** The event that says why a stream ends. */
export const errorEvent = (error: unknown, prefix: string): string =>
  eventText("error", errorBody(error, prefix));

/** The versions of what is there. @throws {KvError} KV_NOT_SUPPORTED where there are none. */
function versionsOf(entries: readonly (Entry<unknown> | null)[]): (string | null)[] {
  return entries.map((entry) => {
    if (entry !== null && entry.version === null)
      throw new KvError(
        "KV_NOT_SUPPORTED",
        "this client keeps no versions, so that changes cannot be told: read it instead",
      );
    return entry && entry.version;
  });
}

/**
 * The entries under some keys as server-sent events: now, and again whenever one of them has
 * changed. Nothing is read while nobody takes what is there. `ended` is called once, when it is
 * over.
 */
export function eventsOf(
  watchers: Watchers,
  keys: readonly string[],
  ended: () => void,
): ReadableStream<Uint8Array> {
  const { space } = watchers;
  const { watcher, remove } = watchers.add(keys);
  const encoder = new TextEncoder();
  let next: Promise<string | null> | null = null;
  let isFirst = true;

  const changed = async (): Promise<string | null> => {
    try {
      for (;;) {
        await watcher.changed();
        if (watcher.isOver || keys.length === 0) return null;
        const entries = await space.getAll(keys, true);
        const versions = versionsOf(entries);
        const isSame = !isFirst && versions.every((version, i) => version === watcher.versions[i]);
        if (isSame) continue;
        isFirst = false;
        watcher.versions = versions;
        return eventText("entries", { entries });
      }
    } catch (error) {
      const isOver = watcher.isOver;
      remove();
      return isOver ? null : errorEvent(error, space.prefix);
    }
  };
  const end = (): void => {
    remove();
    ended();
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
        if (chunk !== null) return controller.enqueue(encoder.encode(chunk));
        end();
        return controller.close();
      },
      cancel: end,
    },
    { highWaterMark: 0 },
  );
}
