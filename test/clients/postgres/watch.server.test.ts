import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import kv from "../../../src/index.ts";
import { watchesThroughAPause } from "../../suites/watch-outages.ts";
import { watchesOtherProcesses } from "../../suites/watching.ts";
import { postgresServer } from "../../support/postgres-server.ts";
import { Writer } from "../../support/writer.ts";

const server = await postgresServer();
beforeAll(() => server.start());
afterAll(() => server.remove());

const pool = (): pg.Pool => new pg.Pool({ connectionString: server.url, max: 2 });

describe.each([
  ["a Pool", pool],
  ["a Client", () => new pg.Client({ connectionString: server.url })],
])("watching over %s", (_name, open) => {
  watchesOtherProcesses({ name: "POSTGRES", where: () => server.url, open });
});

describe("the watch over a Pool", () => {
  watchesThroughAPause(server, pool);

  it("takes one connection for a thousand watches, and leaves no trigger behind", async () => {
    const own = pool();
    const store = kv(own);
    const outside = new pg.Client({ connectionString: server.url });
    await outside.connect();
    const count = async (sql: string): Promise<number> =>
      Number((await outside.query<{ n: string }>(`SELECT count(*) n ${sql}`)).rows[0]!.n);
    const listeners = (): Promise<number> =>
      count("FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ShareLock'");
    const triggers = (): Promise<number> => count("FROM pg_trigger WHERE tgname = 'anykv_changed'");
    const watches = Array.from({ length: 1000 }, (_, i) => store.watch(`k${i}`));
    await Promise.all(watches.map(({ ready }) => ready));
    expect([await listeners(), await triggers()]).toEqual([1, 1]);
    await Promise.all(watches.map((watch) => watch.close()));
    await expect.poll(listeners).toBe(0);
    await expect.poll(triggers).toBe(0);
    await store.close();
    await outside.end();
  });

  it("is made again after its connection was ended, and nothing is missed", async () => {
    const [store, writer] = [kv(pool()), kv(pool())];
    await writer.del("a");
    const watch = store.watch("a");
    await watch.ready;
    const change = watch.next();
    const outside = new pg.Client({ connectionString: server.url });
    await outside.connect();
    await outside.query(
      "SELECT pg_terminate_backend(pid) FROM pg_locks " +
        "WHERE locktype = 'advisory' AND mode = 'ShareLock'",
    );
    await writer.set("a", 1);
    expect((await change).value!.entry!.value).toBe(1);
    await Promise.all([store.close(), writer.close(), outside.end()]);
  });

  it("sends no notification without a watch, also when a watcher was killed", async () => {
    const watcher = new Writer("POSTGRES", server.url);
    const writer = kv(pool());
    const outside = new pg.Client({ connectionString: server.url });
    await outside.connect();
    const ask = async (sql: string): Promise<string> =>
      (await outside.query<string[]>({ text: `SELECT ${sql}`, rowMode: "array" })).rows[0]![0]!;
    const isWatched = (): Promise<string> =>
      ask("count(*)::text FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ShareLock'");
    const heard: unknown[] = [];
    outside.on("notification", ({ payload }) => heard.push(payload));
    await writer.set("b", 0);
    await outside.query(`LISTEN "anykv:${await ask("'kv'::regclass::oid::text")}"`);
    await watcher.call("watch", "a");
    await expect.poll(() => writer.set("b", 1).then(() => heard.at(-1))).toBe("b");
    await watcher.end("SIGKILL");
    await expect.poll(isWatched).toBe("0");
    heard.length = 0;
    await writer.set("b", 2);
    expect(await ask("count(*)::text FROM pg_trigger WHERE tgname = 'anykv_changed'")).toBe("1");
    expect(heard).toEqual([]);
    await Promise.all([writer.close(), outside.end()]);
  });
});
