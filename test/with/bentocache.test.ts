import { BentoCache, bentostore } from "bentocache";
import { memoryDriver } from "bentocache/drivers/memory";
import { registerCacheDriverTestSuite } from "bentocache/test_suite";
import { afterAll, afterEach, assert, beforeAll, describe, expect, it } from "vitest";
import kv, { type Store } from "../../src/index.ts";
import { bentocacheDriver } from "../../src/with/bentocache/index.ts";
import { INTEGRATION_STORES, withCode } from "../support/integration-stores.ts";
import { failingClient } from "../support/plain-client.ts";

/** Runs the suite of bentocache, which is written for another runner. */
function runSuite(createDriver: (config?: { prefix?: string }) => object): void {
  const group = {
    setup: (run: () => Promise<() => Promise<void>>) => {
      let end: (() => Promise<void>) | undefined;
      beforeAll(async () => void (end = await run()));
      afterAll(() => end?.());
    },
    tap: () => undefined,
    each: { teardown: (run: () => Promise<void>) => afterEach(run) },
  };
  type Case = (context: object) => Promise<void>;
  const test = (title: string, run: Case): void =>
    it(title, async () => {
      const cleanups: (() => Promise<void>)[] = [];
      const cleanup = (work: () => Promise<void>) => cleanups.push(work);
      await run({ assert, cleanup });
      for (const work of cleanups) await work();
    });
  registerCacheDriverTestSuite({ test, group, createDriver } as never);
}

describe.each(INTEGRATION_STORES)("the suite of bentocache on %s", async (_, open) => {
  const store = await open();
  // The suite closes drivers that share their store.
  runSuite((config = {}) => ({
    ...bentocacheDriver(store).factory({ prefix: "main", ...config }),
    disconnect: async () => undefined,
  }));
});

let prefixes = 0;

/** A program with both layers of bentocache. */
const program = (store: Store) =>
  new BentoCache({
    default: "main",
    stores: {
      main: bentostore()
        .useL1Layer(memoryDriver())
        .useL2Layer(bentocacheDriver(store, { prefix: "bento:" })),
    },
  });

describe.each(INTEGRATION_STORES)("bentocache on %s", (_, open) => {
  it("gives values to the next program, and deletes tags", async () => {
    const store = (await open()).prefix(`b${prefixes++}:`);
    const [one, two] = [program(store), program(store)];
    await one.getOrSet({ key: "a", ttl: "1m", tags: ["t"], factory: () => ({ n: 1 }) });
    const again = { key: "a", ttl: "1m", factory: () => ({ n: 2 }) };
    expect(await two.getOrSet(again)).toEqual({ n: 1 });
    await one.deleteByTag({ tags: ["t"] });
    expect(await one.getOrSet(again)).toEqual({ n: 2 });
    expect((await store.keys()).every((key) => key.startsWith("bento:"))).toBe(true);
  });

  it("gives a value to one of many that pull it", async () => {
    const store = (await open()).prefix(`b${prefixes++}:`);
    const driver = bentocacheDriver(store).factory({});
    await driver.set("a", "text", 60_000);
    const pulled = await Promise.all([driver.pull("a"), driver.pull("a"), driver.pull("a")]);
    expect(pulled.filter(Boolean)).toEqual(["text"]);
  });
});

describe("bentocache", () => {
  it("gets the errors of a store that is down", async () => {
    const driver = bentocacheDriver(kv(failingClient() as never)).factory({});
    await expect(driver.get("a")).rejects.toThrow(withCode("KV_CONNECTION"));
    const cache = program(kv(failingClient() as never));
    expect(await cache.getOrSet({ key: "a", ttl: "1m", factory: () => 5 })).toBe(5);
  });

  it("closes the store on disconnect", async () => {
    const store = kv(new Map());
    await program(store).disconnect();
    await expect(store.get("a")).rejects.toThrow(withCode("KV_CLOSED"));
  });

  it("rejects wrong options at once", () => {
    expect(() => bentocacheDriver(kv(), { ttl: 5 } as never)).toThrow(withCode("KV_INVALID_VALUE"));
    expect(() => bentocacheDriver(new Map() as never)).toThrow(withCode("KV_INVALID_CLIENT"));
  });
});
