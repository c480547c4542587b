import { createClientPool } from "redis";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type NodeRedisPool, poolWire } from "../../../src/clients/redis/node-redis.ts";
import { until } from "../../support/daemon.ts";
import { ask, redisServer } from "../../support/redis-server.ts";

const server = await redisServer();
beforeAll(() => server.start());
afterAll(() => server.remove());

it("has one connection for each member when it is replaced while it connects", async () => {
  const pool = createClientPool({ url: server.url, name: "member" }, { minimum: 1, maximum: 1 });
  pool.on("error", () => undefined);
  const wire = poolWire((await pool.connect()) as unknown as NodeRedisPool);
  for (let round = 0; round < 20; round++) {
    const pending = wire.send("none", ["BLPOP", "none", "0"]);
    await until("it waits for an answer", () => pool.clientsInUse === 1);
    wire.replace!();
    await expect(pending).rejects.toThrow("Disconnects client");
    for (let i = 0; i <= round % 4; i++) {
      wire.replace!();
      await new Promise((resolve) => setTimeout(resolve, round % 3));
    }
    const answer = (text: string): Promise<unknown> =>
      wire.send("none", ["ECHO", text]).catch(() => "refused");
    await until("it works", async () => (await answer("works")) === "works");
    const texts = Array.from({ length: 50 }, (_, i) => `${round} ${i}`);
    expect(await Promise.all(texts.map(answer))).toEqual(texts);
    const members = async (): Promise<number> => {
      const clients = String(await ask(server.port, (client) => client.client("LIST")));
      return clients.split("name=member ").length - 1;
    };
    await until("the others are gone", async () => (await members()) === 1);
  }
  await wire.close();
});
