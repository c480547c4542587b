import { LRUCache } from "lru-cache";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { ForageLike } from "../../src/clients/forage/index.ts";
import type { StorageLike } from "../../src/clients/storage/index.ts";
import kv, { type Store } from "../../src/index.ts";
import { StoredRecord } from "../../src/record/record.ts";
import { encodeRecord } from "../../src/record/text-format.ts";
import { nextStamp } from "../../src/record/version.ts";
import { eventually } from "../support/eventually.ts";

afterEach(() => void vi.useRealTimers());

const RECORDS = 5000;
/** What one write may look at: the slice of a sweep, and the write's own few reads. */
const SLICE = 300;

/** A client, the number of records that were looked at in it so far, and the keys that it has. */
interface Counted {
  readonly client: unknown;
  readonly looks: () => number;
  readonly keys: () => string[];
  /** Puts a record there that an earlier process wrote; not for a client in memory. */
  readonly earlier?: (key: string, expires: number | null) => void;
}

function countedMap(): Counted {
  let looks = 0;
  class Counting extends Map<unknown, unknown> {
    override *entries(): MapIterator<[unknown, unknown]> {
      for (const entry of super.entries()) {
        looks++;
        yield entry;
      }
      return undefined;
    }
  }
  const map = new Counting();
  return { client: map, looks: () => looks, keys: () => [...map.keys()] as string[] };
}

function countedLru(): Counted {
  let looks = 0;
  class Cache extends LRUCache<string, object> {
    override peek(...args: Parameters<LRUCache<string, object>["peek"]>): object | undefined {
      looks++;
      return super.peek(...args);
    }
    override *keys(): Generator<string, void, unknown> {
      for (const key of super.keys()) {
        looks++;
        yield key;
      }
    }
  }
  // `allowStale`: shows what is there although its time is over.
  const cache = new Cache({ max: 100_000, allowStale: true });
  return { client: cache, looks: () => looks, keys: () => cache.dump().map(([key]) => key) };
}

function countedStorage(): Counted {
  let looks = 0;
  const items = new Map<string, string>();
  let names: string[] | undefined;
  const client: StorageLike = {
    get length() {
      return items.size;
    },
    key(index) {
      looks++;
      return (names ??= [...items.keys()])[index] ?? null;
    },
    getItem: (key) => items.get(key) ?? null,
    setItem(key, value) {
      if (!items.has(key)) names = undefined;
      items.set(key, value);
    },
    removeItem(key) {
      items.delete(key);
      names = undefined;
    },
  };
  const earlier = (key: string, expires: number | null): void =>
    client.setItem(key, encodeRecord(new StoredRecord(1, expires, nextStamp(), null)));
  return { client, looks: () => looks, keys: () => [...items.keys()], earlier };
}

function countedCustom(): Counted {
  let looks = 0;
  const data = new Map<string, unknown>();
  const client = {
    get: (key: string) => data.get(key),
    set: (key: string, value: unknown) => void data.set(key, value),
    del: (key: string) => void data.delete(key),
    *iterate(prefix: string) {
      for (const pair of data) {
        looks++;
        if (pair[0].startsWith(prefix)) yield pair;
      }
    },
  };
  const earlier = (key: string, expires: number | null): void =>
    client.set(key, { kv: 1, version: "0d0fd51349f003f6dc81", expires, value: 1 });
  return { client, looks: () => looks, keys: () => [...data.keys()], earlier } as Counted;
}

function countedForage(): Counted {
  let looks = 0;
  const data = new Map<string, unknown>();
  const client: ForageLike = {
    ready: async () => undefined,
    driver: () => "counting",
    config: () => ({ name: "counting", storeName: String(Math.random()) }),
    keys: async () => [...data.keys()],
    async getItem(key) {
      looks++;
      return data.get(key) ?? null;
    },
    setItem: async (key, value) => void data.set(key, value),
    removeItem: async (key) => void data.delete(key),
  };
  const earlier = (key: string, expires: number | null): void =>
    void data.set(key, encodeRecord(new StoredRecord(1, expires, nextStamp(), null)));
  return { client, looks: () => looks, keys: () => [...data.keys()], earlier };
}

const CLIENTS = {
  MEMORY: countedMap,
  LRU: countedLru,
  STORAGE: countedStorage,
  FORAGE: countedForage,
  CUSTOM: countedCustom,
};

/** Writes so many times; answers with the most looks that one write waited for. */
async function most(store: Store, { looks }: Counted, writes: number): Promise<number> {
  let found = 0;
  for (let i = 0; i < writes; i++) {
    const before = looks();
    await store.set("w", i);
    found = Math.max(found, looks() - before);
  }
  return found;
}

const turns = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setTimeout(resolve));
};

describe.each(Object.entries(CLIENTS))("sweeps of %s", (_type, make) => {
  it("delay a write by one slice at most, and stop while no record has a deadline", async () => {
    const counted = make();
    const store = kv(counted.client as Map<string, unknown>) as Store;
    for (let i = 0; i < RECORDS; i++) counted.earlier?.(`k${i}`, null);
    if (counted.earlier === undefined)
      for (let i = 0; i < RECORDS; i++) await store.set(`k${i}`, i);
    for (let rounds = 0; rounds < 60; rounds++) {
      expect(await most(store, counted, 128)).toBeLessThanOrEqual(SLICE);
      await turns(1);
    }
    const before = counted.looks();
    await most(store, counted, 2 * RECORDS);
    await turns(10);
    expect(counted.looks()).toBe(before);
  });

  it("find every record that has expired, also while each write adds a record", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const counted = make();
    const store = kv(counted.client as Map<string, unknown>) as Store;
    for (let i = 0; i < 1000; i++) await store.set(`old${i}`, i, { expires: 60 });
    for (let i = 0; i < 3000; i++) await store.set(`new${i}`, i, { expires: "1h" });
    vi.setSystemTime(Date.now() + 61_000);
    let writes = 0;
    await eventually(async () => {
      for (let i = 0; i < 128; i++) await store.set(`next${writes++}`, i, { expires: "1h" });
      return counted.keys().filter((key) => key.startsWith("old")).length;
    }).toBe(0);
    expect(counted.keys().length).toBe(3000 + writes);
  });

  if (make().earlier === undefined) return;
  it("find the deadlines of an earlier session", async () => {
    const counted = make();
    for (let i = 0; i < RECORDS; i++)
      counted.earlier!(`k${i}`, i % 10 === 0 ? Date.now() - 1000 : null);
    const store = kv(counted.client as Map<string, unknown>) as Store;
    await eventually(async () => {
      expect(await most(store, counted, 128)).toBeLessThanOrEqual(SLICE);
      return counted.keys().length;
    }).toBe(RECORDS - RECORDS / 10 + 1);
  });
});
