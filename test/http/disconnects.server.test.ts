import { once } from "node:events";
import { createServer, IncomingMessage, ServerResponse } from "node:http";
import { type AddressInfo, createConnection, Socket } from "node:net";
import { queryObjects } from "node:v8";
import { afterEach, describe, expect, it } from "vitest";
import { Connections } from "../../src/http/connections.ts";
import { type KvServer, serve } from "../../src/http/index.ts";
import kv from "../../src/index.ts";
import { until } from "../support/daemon.ts";

const token = "0123456789abcdef";
const running: KvServer[] = [];
afterEach(async () => void (await Promise.all(running.splice(0).map((server) => server.close()))));

const CLIENTS = 500;
const AT_ONCE = 50;
const KINDS = [Socket, IncomingMessage, ServerResponse, ReadableStream];

/** How many objects of a class are alive after a garbage collection. */
const alive = (kind: unknown): number =>
  queryObjects(kind as never, { format: "count" }) as unknown as number;

const head = (path: string, body: string, length = body.length): string =>
  `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nauthorization: ` +
  `Bearer ${token}\r\ncontent-length: ${length}\r\n\r\n${body}`;

/** Connects, sends a text, and disconnects: at once, or as soon as something was received. */
async function disconnect(port: number, text: string, isPatient: boolean): Promise<void> {
  const socket = createConnection(port, "127.0.0.1");
  await new Promise<void>((resolve) => {
    socket.once("connect", () => {
      socket.write(text, () => isPatient || socket.destroy());
      if (isPatient) socket.once("data", () => socket.destroy());
    });
    socket.on("error", () => undefined).once("close", () => resolve());
  });
}

async function disconnectMany(
  port: number,
  count: number,
  text: string,
  isPatient = false,
): Promise<void> {
  for (let i = 0; i < count; i += AT_ONCE)
    await Promise.all(Array.from({ length: AT_ONCE }, () => disconnect(port, text, isPatient)));
}

describe("clients that disconnect leave nothing in the server's memory", () => {
  it.each([
    ["before the answer", head("/v1/get", '{"keys":["a"]}'), false],
    ["before the request is complete", head("/v1/get", '{"keys":', 1000), false],
    ["from an event stream, before it begins", head("/v1/watch", '{"keys":["a"]}'), false],
    ["from an event stream that has begun", head("/v1/watch", '{"keys":["a"]}'), true],
  ])("%s", async (_when, text, isPatient) => {
    const server = await serve(kv(new Map()), {
      tokens: [{ token, space: "a", limits: { streams: AT_ONCE * 4 } }],
      grace: "2s",
    });
    running.push(server);
    // The first clients also fill the caches of the runtime.
    await disconnectMany(server.port, AT_ONCE, text, isPatient);
    const before = KINDS.map(alive);
    await disconnectMany(server.port, CLIENTS, text, isPatient);
    for (const [i, kind] of KINDS.entries())
      await until(`no ${kind.name} is left`, () => alive(kind) < before[i]! + AT_ONCE / 2, 20_000);
  });
});

it("counts no connection that was closed before its answer", async () => {
  const connections = new Connections();
  const seen: Socket[] = [];
  let closed = 0;
  const server = createServer((request, response) => {
    connections.begin(request.socket);
    seen.push(request.socket);
    // The order of a server: the connection is closed first, then the response.
    response.once("close", () => (connections.end(request.socket), closed++));
  });
  server.on("connection", (socket) => connections.add(socket)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await disconnectMany(port, AT_ONCE, head("/", "x", 2), false);
  await until(
    "all responses are closed",
    () => closed === seen.length && connections.size === 0,
    20_000,
  );
  expect(seen.length).toBeGreaterThan(0);
  expect(seen.filter((socket) => connections.isIdle(socket))).toEqual([]);
  server.close();
  await once(server, "close");
});
