import Keyv from "keyv";
import polystore from "polystore";
import { createStorage } from "unstorage";
import kv, { type Json } from "anykv";
import { type Contender, line, micros, race } from "./race.ts";

export interface Cache {
  get(key: string): Promise<unknown>;
  set(key: string, value: unknown): Promise<unknown>;
}

export const OPERATIONS = 100_000;
const keys = Array.from({ length: 1000 }, (_, i) => `key:${i}`);

/** A small object to store. */
export const SMALL: Json = {
  name: "Ann",
  age: 41,
  tags: ["admin", "staff"],
  address: { city: "Ulm" },
};

/** The least that an asynchronous cache with deadlines does. */
export function bare(): Cache {
  const map = new Map<string, { value: unknown; expires: number | null }>();
  return {
    async get(key) {
      const item = map.get(key);
      if (item === undefined) return null;
      if (item.expires !== null && item.expires <= Date.now()) {
        map.delete(key);
        return null;
      }
      return item.value;
    },
    async set(key, value, options?: { expires?: number | null }) {
      map.set(key, { value, expires: options?.expires ?? null });
      return key;
    },
  } as Cache;
}

/**
 * The same with two promises of every store of anykv: it checks keys, and it counts versions. A
 * copy on purpose: shared code would slow down the function that others are compared with.
 */
export function checking(): Cache {
  const map = new Map<string, { value: unknown; expires: number | null; version: number }>();
  let version = 0;
  const check = (key: unknown): void => {
    if (typeof key !== "string" || key === "" || !key.isWellFormed()) throw new TypeError("key");
  };
  return {
    async get(key) {
      check(key);
      const item = map.get(key);
      if (item === undefined) return null;
      if (item.expires !== null && item.expires <= Date.now()) {
        map.delete(key);
        return null;
      }
      return item.value;
    },
    async set(key, value, options?: { expires?: number | null }) {
      check(key);
      map.set(key, { value, expires: options?.expires ?? null, version: ++version });
      return key;
    },
  } as Cache;
}

function unstorage(): Cache {
  const storage = createStorage();
  return {
    get: (key) => storage.getItem(key),
    set: (key, value) => storage.setItem(key, value as never),
  };
}

const contenders = (): Record<"anykv" | "bare" | "polystore" | "keyv" | "unstorage", Cache> => ({
  anykv: kv(new Map()) as unknown as Cache,
  bare: bare(),
  polystore: polystore(new Map()) as unknown as Cache,
  keyv: new Keyv() as unknown as Cache,
  unstorage: unstorage(),
});

export const writing = (cache: Cache, value: unknown): Contender => ({
  round: async () => {
    for (let i = 0; i < OPERATIONS; i++) await cache.set(keys[i % 1000]!, value);
  },
});
export const reading = (cache: Cache): Contender => ({
  round: async () => {
    for (let i = 0; i < OPERATIONS; i++) await cache.get(keys[i % 1000]!);
  },
});

/** `get` and `set` in memory, beside the least that it could cost and beside others. */
export async function memory(): Promise<void> {
  for (const [what, value] of [
    ["a small object", SMALL],
    ["a string", "hello world"],
  ] as const) {
    const caches = contenders();
    const each = (make: (cache: Cache) => Contender): Record<keyof typeof caches, Contender> =>
      Object.fromEntries(
        Object.entries(caches).map(([name, cache]) => [name, make(cache)]),
      ) as never;
    for (const [operation, make] of [
      ["set", (cache: Cache) => writing(cache, value)],
      ["get", reading],
    ] as const) {
      const times = await race(each(make));
      const detail = Object.entries(times)
        .map(([name, ms]) => `${name} ${micros(ms, OPERATIONS)}`)
        .join(", ");
      const title = `memory: ${operation} of ${what}`;
      if (what === "a string")
        line(
          `${title} against a bare async Map`,
          times.anykv / times.bare,
          "at most 1.3",
          times.anykv <= 1.3 * times.bare,
          detail,
        );
      else
        line(
          `${title} against polystore`,
          times.anykv / times.polystore,
          "at most 1",
          times.anykv <= times.polystore,
          detail,
        );
      line(
        `${title}: keyv takes`,
        times.keyv / times.anykv,
        "at least 8",
        times.keyv >= 8 * times.anykv,
        "",
      );
      line(
        `${title}: unstorage takes`,
        times.unstorage / times.anykv,
        "at least 4",
        times.unstorage >= 4 * times.anykv,
        "",
      );
    }
  }
}
