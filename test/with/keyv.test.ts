import suite, { keyvIteratorTests } from "@keyv/test-suite";
import { Keyv } from "keyv";
import { Keyv as Keyv5 } from "keyv5";
import * as vitest from "vitest";
import kv, { type Store } from "../../src/index.ts";
import { keyv5Store, keyvStore } from "../../src/with/keyv/index.ts";
import { INTEGRATION_STORES, withCode } from "../support/integration-stores.ts";
import { failingClient } from "../support/plain-client.ts";

const { describe, expect, it } = vitest;

// These two cases of the suite need members that Keyv 6 does not have.
const ONLY_FIVE =
  /^.deleteMany.* nonexistent keys resolves to false$|BigInt using other serializer/;
const sixth = {
  ...vitest,
  it: (title: string, run: () => Promise<void>) => ONLY_FIVE.test(title) || it(title, run),
};

let prefixes = 0;
const nextPrefix = (): string => `keyv${prefixes++}:`;

describe.each(INTEGRATION_STORES)("the suite of Keyv on %s", async (_, open) => {
  const store = await open();
  describe("Keyv 5", () => {
    suite(vitest as never, Keyv5 as never, () => keyv5Store(store, { prefix: "five:" }) as never);
    keyvIteratorTests(vitest as never, Keyv5 as never, () => keyv5Store(store) as never);
  });
  describe("Keyv 6", () => {
    suite(sixth as never, Keyv as never, () => keyvStore(store, { prefix: "six:" }) as never);
  });
});

const majors: readonly [name: string, make: (store: Store, namespace?: string) => Keyv][] = [
  [
    "5",
    (store, namespace) => new Keyv5({ store: keyv5Store(store), namespace: namespace! }) as never,
  ],
  ["6", (store, namespace) => new Keyv({ store: keyvStore(store), namespace: namespace! })],
];
const cases = majors.flatMap(([major, make]) =>
  INTEGRATION_STORES.map(([client, open]) => ({ major, make, client, open })),
);

describe.each(cases)("Keyv $major on $client", ({ make, open }) => {
  it("keeps namespaces apart, also when one is cleared", async () => {
    const store = (await open()).prefix(nextPrefix());
    const [one, two] = [make(store, "a"), make(store, "ab")];
    await one.set("key", 1);
    await two.set("key", 2);
    expect(await one.get("key")).toBe(1);
    await one.clear();
    expect(await one.get("key")).toBe(undefined);
    expect(await two.get("key")).toBe(2);
  });

  it("ends values at their deadline, which the store knows", async () => {
    const store = (await open()).prefix(nextPrefix());
    const keyv = make(store);
    await keyv.set("long", "kept", 60_000);
    await keyv.set("ever", "kept");
    await keyv.set("short", "gone", 30);
    const entries = (await store.list()).entries.map(({ expires }) => expires);
    const long = Math.max(...entries.map((expires) => expires ?? 0));
    expect(long).toBeGreaterThan(Date.now() + 50_000);
    expect(long).toBeLessThanOrEqual(Date.now() + 60_000);
    expect(entries).toContain(null);
    await expect.poll(() => keyv.get("short")).toBe(undefined);
    expect(await keyv.get(["long", "ever", "short"])).toEqual(["kept", "kept", undefined]);
  });

  it("tells once whether a key was deleted", async () => {
    const keyv = make((await open()).prefix(nextPrefix()));
    await keyv.set("a", 1);
    const deleted = await Promise.all([keyv.delete("a"), keyv.delete("a"), keyv.delete("a")]);
    expect(deleted.filter(Boolean).length).toBe(1);
  });

  it("has, sets and deletes many", async () => {
    const keyv = make((await open()).prefix(nextPrefix()));
    await keyv.setMany([
      { key: "a", value: 1 },
      { key: "b", value: { n: 2 } as never, ttl: 60_000 },
    ]);
    expect(await keyv.get(["b", "c", "a"])).toEqual([{ n: 2 }, undefined, 1]);
    expect(await keyv.hasMany(["a", "c"])).toEqual([true, false]);
    await keyv.deleteMany(["a", "b"]);
    expect(await keyv.has("b")).toBe(false);
  });
});

describe.each(majors)("Keyv %s", (_, make) => {
  it("emits the errors of a store that is down", async () => {
    const keyv = make(kv(failingClient() as never));
    const errors: unknown[] = [];
    keyv.on("error", (error: unknown) => void errors.push(error));
    expect(await keyv.set("a", 1)).toBe(false);
    expect(await keyv.get("a")).toBe(undefined);
    // Keyv 5 reports failed writes alone.
    expect(new Set(errors.map((error) => (error as { code: string }).code))).toEqual(
      new Set(["KV_CONNECTION"]),
    );
  });

  it("closes the store on disconnect", async () => {
    const store = kv(new Map());
    await make(store).disconnect();
    await expect(store.get("a")).rejects.toThrow(withCode("KV_CLOSED"));
  });
});

describe("the adapters of Keyv", () => {
  it("are rejected by the wrong major, and with wrong options", async () => {
    const five = new Keyv5({ store: keyvStore(kv()) as never });
    const failed = new Promise((resolve) => five.on("error", resolve));
    expect(await five.set("a", 1, 60_000)).toBe(false);
    expect(await failed).toEqual(withCode("KV_INVALID_EXPIRES"));
    for (const make of [keyvStore, keyv5Store]) {
      expect(() => make(kv(), { ttl: 5 } as never)).toThrow(withCode("KV_INVALID_VALUE"));
      expect(() => make(new Map() as never)).toThrow(withCode("KV_INVALID_CLIENT"));
    }
  });

  it("works in Keyv 6 as an adapter of Keyv 5 too", async () => {
    const keyv = new Keyv({ store: keyv5Store(kv(new Map())), namespace: "a" });
    await keyv.set("key", 1, 60_000);
    expect(await keyv.get("key")).toBe(1);
  });
});
