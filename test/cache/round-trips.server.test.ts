import { once } from "node:events";
import { type AddressInfo, createConnection, createServer, type Socket } from "node:net";
import { createClient } from "redis";
import { afterAll, expect, it } from "vitest";
import { createCache } from "../../src/cache/index.ts";
import kv from "../../src/index.ts";
import { redisServer } from "../support/redis-server.ts";

const server = await redisServer();
await server.start();

let trips = 0;
let commands: string[] = [];
const sockets: Socket[] = [];

/** Counts how often the client speaks after the server has, and notes the commands. */
const proxy = createServer((near) => {
  const far = createConnection(server.port, "127.0.0.1");
  sockets.push(near, far);
  let isAsked = false;
  near.on("data", (bytes) => {
    if (!isAsked) trips++;
    isAsked = true;
    // A command is an array of texts, each behind its length: `*2 $3 GET $1 a`.
    const lines = bytes.toString().split("\r\n");
    for (const [i, line] of lines.entries())
      if (line.startsWith("*")) commands.push(lines[i + 2]!.toUpperCase());
    far.write(bytes);
  });
  far.on("data", (bytes) => {
    isAsked = false;
    near.write(bytes);
  });
}).listen(0, "127.0.0.1");
await once(proxy, "listening");
const { port } = proxy.address() as AddressInfo;

afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => proxy.close(resolve));
  await server.remove();
});

it("a hit takes one round trip, and a miss one more than GET and SET", async () => {
  const client = await createClient({ url: `redis://127.0.0.1:${port}` }).connect();
  const cache = createCache(kv(client, { prefix: "c:" }), { ttl: "1h" });
  const load = async (): Promise<number> => 1;
  // Loads the code, and lets the server know the script.
  await cache.getOrSet("first", load);
  const counted = async (work: () => Promise<unknown>): Promise<[number, string[]]> => {
    [trips, commands] = [0, []];
    await work();
    return [trips, commands.toSorted()];
  };
  expect(await counted(() => client.ping())).toEqual([1, ["PING"]]);
  expect(await counted(() => cache.getOrSet("first", load))).toEqual([1, ["GET"]]);
  // The counter of tags is read along with the lease, which is taken by SET with NX.
  expect(await counted(() => cache.getOrSet("second", load))).toEqual([
    3,
    ["EVALSHA", "GET", "GET", "SET"],
  ]);
  expect(await counted(() => cache.getOrSet("second", load))).toEqual([1, ["GET"]]);
  await cache.set("stale", 1, { grace: "1h" });
  await cache.expire("stale");
  const stale = await counted(async () => {
    await cache.getOrSet("stale", load, { timeout: "10s" });
  });
  expect(stale).toEqual([3, ["EVALSHA", "EVALSHA", "GET", "GET"]]);
  await client.close();
});
