import type { Store } from "../../api.ts";
import { KvError } from "../../errors.ts";
import { checkOptions } from "../../platform/options.ts";
import { requireStore } from "../../store/require-store.ts";
import type { Expires } from "../../types.ts";

/** Options of {@link mcpEventStore}. */
export interface McpEventOptions {
  /** The id of the session. Its events are kept apart from those of all others. */
  session: string;
  /** When an event expires. Default `"1h"`. */
  expires?: Expires | undefined;
}

/** The `eventStore` of a Streamable HTTP transport of MCP. */
export interface McpEventStore {
  storeEvent(streamId: string, message: unknown): Promise<string>;
  getStreamIdForEventId(eventId: string): Promise<string | undefined>;
  replayEventsAfter(
    lastEventId: string,
    replay: { send: (eventId: string, message: never) => Promise<void> },
  ): Promise<string>;
}

/** Ids that sort in the order in which they are made, also after a restart. */
function orderedIds(): () => string {
  let last = 0;
  return () => {
    // Microseconds, so that each id is above the one before.
    last = Math.max(last + 1, Date.now() * 1000);
    return `${last.toString(36).padStart(11, "0")}-${crypto.randomUUID().slice(0, 8)}`;
  };
}

/** The stream of an event id. */
function streamOf(eventId: string): string {
  return decodeURIComponent(eventId.slice(0, eventId.lastIndexOf("/")));
}

/**
 * An `eventStore` for the Streamable HTTP transports of the MCP SDK: a client that lost its
 * connection continues after the last event that it saw.
 *
 * Make one for each session: the SDK names the main stream of every session alike. Events are
 * replayed in the order in which they were stored. An event that has expired is unknown, and the
 * SDK rejects the request of the client. A failing store rejects.
 *
 * @throws {KvError} KV_INVALID_CLIENT for anything but a store; KV_INVALID_VALUE without `session`
 * and for unknown options.
 * @example
 * import kv from "anykv";
 * import { mcpEventStore } from "anykv/with/mcp";
 *
 * const events = mcpEventStore(kv(new Map()).prefix("mcp:"), { session: "a-session" });
 * const id = await events.storeEvent("stream", { jsonrpc: "2.0", method: "ping", id: 1 });
 * console.log(await events.getStreamIdForEventId(id)); // stream
 */
export function mcpEventStore(store: Store, options: McpEventOptions): McpEventStore {
  checkOptions(options, ["session", "expires"], "mcpEventStore()");
  requireStore(store, "mcpEventStore()");
  const { session, expires = "1h" } = options ?? {};
  if (typeof session !== "string" || session === "")
    throw new KvError("KV_INVALID_VALUE", "the session of mcpEventStore() is its id");
  const events = store.prefix(`${encodeURIComponent(session)}/`).expires(expires);
  const nextId = orderedIds();
  return {
    async storeEvent(streamId, message) {
      const id = `${encodeURIComponent(streamId)}/${nextId()}`;
      return events.set(id, message);
    },
    async getStreamIdForEventId(eventId) {
      return (await events.has(eventId)) ? streamOf(eventId) : undefined;
    },
    async replayEventsAfter(lastEventId, { send }) {
      const streamId = streamOf(lastEventId);
      const prefix = `${encodeURIComponent(streamId)}/`;
      let cursor: string | null = null;
      do {
        const page: Awaited<ReturnType<typeof events.list>> = await events.list({ prefix, cursor });
        for (const { key, value } of page.entries)
          if (key > lastEventId) await send(key, value as never);
        cursor = page.cursor;
      } while (cursor !== null);
      return streamId;
    },
  };
}
