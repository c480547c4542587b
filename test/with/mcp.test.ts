import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import {
  type EventStore,
  WebStandardStreamableHTTPServerTransport,
} from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js";
import { describe, expect, it } from "vitest";
import kv, { type Store } from "../../src/index.ts";
import { mcpEventStore } from "../../src/with/mcp/index.ts";
import { INTEGRATION_STORES, withCode } from "../support/integration-stores.ts";
import { failingClient } from "../support/plain-client.ts";

interface ServerEvent {
  readonly id: string;
  readonly message: { method?: string; result?: unknown; params?: { data?: unknown } };
}

/** Reads this many events with a message from a stream. */
async function eventsOf(response: Response, count: number): Promise<ServerEvent[]> {
  const found: ServerEvent[] = [];
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of response.body!) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    const blocks = text.split("\n\n");
    text = blocks.pop()!;
    for (const block of blocks) {
      const [id, data] = ["id", "data"].map(
        (name) => new RegExp(`^${name}: ?(.*)$`, "m").exec(block)?.[1] ?? "",
      );
      if (data) found.push({ id: id!, message: JSON.parse(data) as ServerEvent["message"] });
    }
    if (found.length >= count) return found;
  }
  return found;
}

/** A session with a server whose tool logs three messages before it answers. */
async function session(store: Store, id: string) {
  const server = new McpServer(
    { name: "test", version: "1.0.0" },
    { capabilities: { logging: {} } },
  );
  server.registerTool("work", {}, async ({ sendNotification }) => {
    for (const data of ["one", "two", "three"])
      await sendNotification({ method: "notifications/message", params: { level: "info", data } });
    return { content: [{ type: "text", text: "done" }] };
  });
  const eventStore: EventStore = mcpEventStore(store, { session: id });
  const transport = new WebStandardStreamableHTTPServerTransport({
    sessionIdGenerator: () => id,
    eventStore,
  });
  await server.connect(transport);
  const send = (body: object | null, extra: { [name: string]: string } = {}) =>
    transport.handleRequest(
      new Request("http://localhost/mcp", {
        method: body === null ? "GET" : "POST",
        headers: {
          accept: body === null ? "text/event-stream" : "application/json, text/event-stream",
          "content-type": "application/json",
          "mcp-session-id": id,
          ...extra,
        },
        body: body && JSON.stringify({ jsonrpc: "2.0", ...body }),
      }),
    );
  const params = {
    protocolVersion: "2025-06-18",
    capabilities: {},
    clientInfo: { name: "test", version: "1.0.0" },
  };
  await (await send({ id: 0, method: "initialize", params })).text();
  await (await send({ method: "notifications/initialized" })).text();
  return { send, close: () => server.close() };
}

const CALL = { id: 1, method: "tools/call", params: { name: "work", arguments: {} } };

describe.each(INTEGRATION_STORES)("the events of MCP on %s", (_, open) => {
  it("are sent again to a client that lost its connection", async () => {
    const store = (await open()).prefix("lost:");
    const { send, close } = await session(store, "session/1");
    const events = await eventsOf(await send(CALL), 4);
    expect(events.map(({ message }) => message.params?.data ?? "result")).toEqual([
      "one",
      "two",
      "three",
      "result",
    ]);
    const again = await send(null, { "last-event-id": events[0]!.id });
    expect(again.status).toBe(200);
    expect(await eventsOf(again, 3)).toEqual(events.slice(1));
    await close();
  });

  it("keep sessions and streams apart, in order", async () => {
    const store = (await open()).prefix("apart:");
    const [a, b] = ["a", "a/b"].map((id) => mcpEventStore(store, { session: id }));
    const ids: string[] = [];
    for (let i = 0; i < 150; i++) {
      ids.push(await a!.storeEvent("_GET_stream", { i }));
      if (i < 3) await b!.storeEvent("_GET_stream", { other: i });
      if (i < 3) await a!.storeEvent("_GET_stream2", { other: i });
    }
    const sent: unknown[] = [];
    const send = async (_id: string, message: unknown) => void sent.push(message);
    expect(await a!.replayEventsAfter(ids[9]!, { send })).toBe("_GET_stream");
    expect(sent).toEqual(Array.from({ length: 140 }, (_, i) => ({ i: i + 10 })));
    expect(await b!.getStreamIdForEventId(ids[0]!)).toBe(undefined);
  });

  it("are unknown after their expiry", async () => {
    const store = (await open()).prefix("expiry:");
    const events = mcpEventStore(store, { session: "a", expires: "50ms" });
    const id = await events.storeEvent("stream", {});
    await expect.poll(() => events.getStreamIdForEventId(id)).toBe(undefined);
    const { send, close } = await session(store, "b");
    expect((await send(null, { "last-event-id": id })).status).toBe(400);
    await close();
  });
});

describe("the events of MCP", () => {
  it("reject while the store is down", async () => {
    const events = mcpEventStore(kv(failingClient() as never), { session: "a" });
    await expect(events.storeEvent("stream", {})).rejects.toThrow(withCode("KV_CONNECTION"));
  });

  it("reject wrong options at once", () => {
    for (const options of [undefined, {}, { session: "" }, { session: "a", ttl: 5 }])
      expect(() => mcpEventStore(kv(), options as never)).toThrow(withCode("KV_INVALID_VALUE"));
    expect(() => mcpEventStore(kv(), { session: "a", expires: "soon" as never })).toThrow(
      withCode("KV_INVALID_EXPIRES"),
    );
    expect(() => mcpEventStore(new Map() as never, { session: "a" })).toThrow(
      withCode("KV_INVALID_CLIENT"),
    );
  });
});
