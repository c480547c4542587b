import { EventEmitter } from "node:events";
import { DatabaseSync } from "node:sqlite";
import { afterEach, describe, expect, it, vi } from "vitest";
import { redis } from "../../src/clients/redis/index.ts";
import { sqlite } from "../../src/clients/sqlite/index.ts";
import kv, { type Client, type KvError } from "../../src/index.ts";
import { eventually } from "../support/eventually.ts";

/** A client of one's own whose answers wait for a sign. */
function slow(): {
  client: Client;
  answer(): void;
  closedAt(): number;
  data: Map<string, unknown>;
} {
  const data = new Map<string, unknown>();
  let open = Promise.resolve();
  let answer = (): void => {};
  let closedAt = -1;
  const client = {
    get: async (key: string) => (await open, data.get(key)),
    set: async (key: string, value: unknown) => (await open, void data.set(key, value)),
    async *iterate() {
      for (const pair of [...data]) yield (await open, pair);
    },
    close: () => void (closedAt = data.size),
  };
  return {
    client,
    data,
    answer: () => answer(),
    closedAt: () => closedAt,
    get hush() {
      open = new Promise((resolve) => (answer = resolve));
      return true;
    },
  } as never;
}

describe("close()", () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it("waits for pending calls, and only then ends the client", async () => {
    const one = slow() as ReturnType<typeof slow> & { hush: boolean };
    const store = kv(one.client as Client);
    await store.set("a", 1);
    await store.keys();
    expect(one.hush).toBe(true);
    const writes = [
      store.set("b", 2),
      store.setMany([
        ["c", 3],
        ["d", 4],
      ]),
      store.get("a"),
    ];
    const closing = store.close();
    expect(
      await Promise.race([
        closing.then(() => "closed"),
        new Promise((resolve) => setTimeout(resolve, 20, "waiting")),
      ]),
    ).toBe("waiting");
    one.answer();
    await Promise.all([...writes, closing]);
    expect(one.closedAt()).toBe(4);
    await expect(store.get("a")).rejects.toMatchObject({ code: "KV_CLOSED" });
  });

  it("does not wait for calls without an answer", async () => {
    const one = slow() as ReturnType<typeof slow> & { hush: boolean };
    const store = kv(one.client as Client, { timeout: "2s" });
    await store.set("a", 1);
    expect(one.hush).toBe(true);
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const write = store.set("b", 2).catch((error: KvError) => error.code);
    await Promise.all([store.close(), vi.advanceTimersByTimeAsync(1000)]);
    expect(one.closedAt()).toBe(1);
    await vi.advanceTimersByTimeAsync(1100);
    expect(await write).toBe("KV_CLOSED");
  });

  it("turns later errors of the client into KV_CLOSED", async () => {
    const broken = Object.assign(new Error("The client is closed"), { code: "E_CLIENT" });
    let reject: ((error: Error) => void) | undefined;
    const client = {
      get: () => new Promise((_, no) => (reject = no)),
      set: () => {},
      close: () => reject?.(broken),
    };
    const store = kv(client, { timeout: "2s" });
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const read = store.get("a").catch((error: KvError) => error);
    await eventually(() => reject).toBeDefined();
    await Promise.all([store.close(), vi.advanceTimersByTimeAsync(1000)]);
    expect(await read).toMatchObject({ code: "KV_CLOSED", cause: broken });
  });

  it("ends a client that was never used, without making anything in it", async () => {
    const db = new DatabaseSync(":memory:");
    await kv(db).close();
    expect(db.isOpen).toBe(false);
    const other = new DatabaseSync(":memory:");
    const store = kv(sqlite(other, { table: "mine" }));
    await store.close();
    await store.close();
    expect(other.isOpen).toBe(false);
  });

  it("ends a client that could not be opened", async () => {
    const db = new DatabaseSync(":memory:");
    db.exec("CREATE TABLE kv (something TEXT)");
    const store = kv(db);
    await expect(store.get("a")).rejects.toMatchObject({ code: "KV_INVALID_CLIENT" });
    await store.close();
    expect(db.isOpen).toBe(false);
    await expect(store.get("a")).rejects.toMatchObject({ code: "KV_CLOSED" });
  });

  it("ends the client of a promise, and does nothing for one that was rejected", async () => {
    const db = new DatabaseSync(":memory:");
    await kv(Promise.resolve(db)).close();
    expect(db.isOpen).toBe(false);
    await kv(Promise.reject(new Error("down"))).close();
  });
});

describe("a promise of a client", () => {
  it("that was rejected names the remedy", async () => {
    const down = new Error("down");
    const error = await kv(Promise.reject(down))
      .get("a")
      .catch((error: KvError) => error);
    expect(error).toMatchObject({
      code: "KV_CONNECTION",
      cause: down,
      message: expect.stringContaining("pass the client itself") as string,
    });
  });

  it("of nothing is told as that", async () => {
    await expect(kv(Promise.resolve(undefined) as never).get("a")).rejects.toMatchObject({
      code: "KV_UNKNOWN_CLIENT",
      message: expect.stringContaining("resolves to nothing") as string,
    });
  });
});

describe("a client that tells of errors by events", () => {
  const emitter = (): EventEmitter =>
    Object.assign(new EventEmitter(), {
      isOpen: false,
      get: () => {},
      mGet: () => {},
      set: () => {},
      sendCommand: () => {},
      connect: () => {},
    });

  it("has one listener from kv() on, so that no event ends the process", async () => {
    const client = emitter();
    for (let i = 0; i < 3; i++) kv(client as never);
    kv(redis(client as never));
    expect(client.listenerCount("error")).toBe(1);
    expect(client.emit("error", new Error("lost"))).toBe(true);
    const promised = emitter();
    kv(Promise.resolve(promised) as never);
    await eventually(() => promised.listenerCount("error")).toBe(1);
    expect(promised.emit("error", new Error("lost"))).toBe(true);
  });
});

describe("a listing", () => {
  it("goes on for as long as the client gives signs of life, and no longer", async () => {
    let isAlive = true;
    const client = {
      get: () => undefined,
      set: () => {},
      async *iterate() {
        for (let i = 0; i < 12; i++) {
          await new Promise((resolve) => setTimeout(resolve, 30));
          if (!isAlive) await new Promise(() => {});
          yield [`key ${i}`, { kv: 1, version: "0".repeat(20), expires: null, value: i }];
        }
      },
    };
    const store = kv(kv(client), { timeout: "200ms" });
    expect((await store.keys()).length).toBe(12);
    isAlive = false;
    await expect(store.keys()).rejects.toMatchObject({ code: "KV_CONNECTION" });
  });
});
