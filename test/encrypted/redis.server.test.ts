import { createClient } from "redis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hit, increment } from "../../src/atomic/index.ts";
import { redis } from "../../src/clients/redis/index.ts";
import { compressed } from "../../src/compressed/index.ts";
import { conformance } from "../../src/conformance/index.ts";
import { encrypted } from "../../src/encrypted/index.ts";
import kv, { type Store } from "../../src/index.ts";
import { PATIENT } from "../support/patient.ts";
import { ask, redisServer } from "../support/redis-server.ts";
import { isFull, runs } from "../support/runs.ts";

const server = await redisServer();
beforeAll(() => server.start());
afterAll(() => server.remove());

const keys = [{ id: "a", key: new Uint8Array(32).fill(7) }];

const layers: readonly (readonly [string, () => Store])[] = [
  ["encrypted", () => encrypted(redis(createClient({ url: server.url })), { keys })],
  ["compressed", () => compressed(createClient({ url: server.url }), { over: 10 })],
  ["both", () => compressed(encrypted(createClient({ url: server.url }), { keys }), { over: 10 })],
];

// Both layers together cover most of what each of them does.
const tested = layers.filter(([name]) => isFull || name !== "compressed");

describe.each(tested)("REDIS conforms: %s", (_, make) => {
  const open = (): Store => kv(make(), PATIENT);
  const subject = {
    async open() {
      await ask(server.port, (client) => client.flushall());
      // An hour ahead of the server, so that the deadlines of the records decide.
      const now = Date.now;
      Date.now = () => now() + 3_600_000;
      return open();
    },
    reopen: open,
    runs: runs(10),
  };
  for (const test of conformance(subject)) it(test.name, test.run);

  it("sets the deadline of the server, and touches it", async () => {
    const store = open();
    await store.set("a", "x".repeat(2000), { expires: "10m" });
    const ttl = (): Promise<number> => ask(server.port, (client) => client.ttl("a"));
    expect(await ttl()).toBeGreaterThan(590);
    await store.touch("a", "20m");
    expect(await ttl()).toBeGreaterThan(1190);
    expect(await store.get("a")).toBe("x".repeat(2000));
    expect(await increment(store, "n", 2)).toBe(2);
    expect(await increment(store, "n", 2)).toBe(4);
    expect(await hit(store, "h", "1m", 1, { max: 5 })).toMatchObject({ count: 1, allowed: true });
    await store.close();
  });
});
