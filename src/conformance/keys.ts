import { expectEqual, ok, refused, sorted } from "./check.ts";
import { KEYS } from "./samples.ts";
import type { Statement, Trial } from "./subject.ts";

const LONE = ["\ud800", "a\udc00", "\udc00\ud800"];
const NOT_KEYS: readonly unknown[] = [
  "",
  ...LONE,
  undefined,
  null,
  1,
  true,
  1n,
  Symbol("s"),
  {},
  ["a"],
  new Date(0),
];

/** A key that fills the limit of every client, behind the prefix that the store adds. */
async function longKey(store: Trial["store"], unit: string): Promise<string> {
  const bytes = new TextEncoder().encode(unit).length;
  for (let count = Math.floor(512 / bytes); ; count--) {
    const key = unit.repeat(count);
    const error = await store.get(key).then(
      () => null,
      (error: { code?: string }) => error,
    );
    if (error === null) return key;
    if (error.code !== "KV_TOO_LARGE" || count < 256 / bytes) throw error;
  }
}

/** Statements K1 and K2. */
export const keys: readonly Statement[] = [
  [
    "K1",
    "every well-formed key works, and comes back exactly from every listing",
    async ({ store }) => {
      const all = store.supports.valueBytes < 10_000 ? KEYS.filter((_, i) => i % 2 === 0) : KEYS;
      for (const part of [all.slice(0, 50), all.slice(50)]) {
        expectEqual(await store.setMany(part.map((key) => [key, `v:${key}`])), part, "setMany");
        for (const key of part)
          expectEqual(await store.get(key), `v:${key}`, `get of ${JSON.stringify(key)}`);
        if (store.supports.iterate) {
          expectEqual(sorted(await store.keys()), sorted(part), "keys");
          expectEqual(
            sorted((await store.entries()).map(([key, value]) => `${key}=${value}`)),
            sorted(part.map((key) => `${key}=v:${key}`)),
            "entries",
          );
          const object = await store.all();
          expectEqual(sorted(Object.keys(object)), sorted(part), "all");
          expectEqual(Object.getPrototypeOf(object), Object.prototype, "the prototype of all");
        }
        for (const key of part) {
          expectEqual(await store.del(key), key, "del");
          expectEqual(await store.has(key), false, `has of ${JSON.stringify(key)} after del`);
        }
      }
    },
  ],
  [
    "K1",
    "keys that were never set are absent, whatever objects inherit",
    async ({ store }) => {
      for (const key of [
        "__proto__",
        "constructor",
        "toString",
        "hasOwnProperty",
        "length",
        "getItem",
        "clear",
        "key",
        "../x",
        "valueOf",
      ]) {
        expectEqual(await store.get(key), null, `get of ${key}`);
        expectEqual(await store.has(key), false, `has of ${key}`);
        expectEqual(await store.entry(key), null, `entry of ${key}`);
        expectEqual(await store.del(key), key, `del of ${key}`);
      }
    },
  ],
  [
    "K1",
    "keys up to 512 bytes of UTF-8 work",
    async ({ store }) => {
      for (const unit of ["k", "é", "漢", "🎉", "%", "\u0000"]) {
        const key = await longKey(store, unit);
        await store.set(key, unit);
        expectEqual(await store.get(key), unit, `get of ${key.length} × ${JSON.stringify(unit)}`);
        if (store.supports.iterate) expectEqual(await store.keys(), [key], "keys");
        await store.del(key);
      }
    },
  ],
  [
    "K1",
    "a key longer than the client takes is refused",
    async ({ store }) => {
      const { keyBytes } = store.supports;
      ok(keyBytes >= 512, "every client takes 512 bytes");
      if (keyBytes === Infinity) return;
      await refused("KV_TOO_LARGE", () => store.set("k".repeat(keyBytes + 1), 1), "set");
      await refused("KV_TOO_LARGE", () => store.get("é".repeat(keyBytes / 2 + 1)), "get");
    },
  ],
  [
    "K2",
    "anything but a non-empty, well-formed string is refused, and nothing is written",
    async ({ store }) => {
      for (const key of NOT_KEYS as readonly string[]) {
        await refused("KV_INVALID_KEY", () => store.get(key), "get");
        await refused("KV_INVALID_KEY", () => store.set(key, 1), "set");
        await refused("KV_INVALID_KEY", () => store.set(key, null), "set of null");
        await refused("KV_INVALID_KEY", () => store.del(key), "del");
        await refused("KV_INVALID_KEY", () => store.has(key), "has");
        await refused("KV_INVALID_KEY", () => store.entry(key), "entry");
        await refused("KV_INVALID_KEY", () => store.touch(key, 1), "touch");
        await refused("KV_INVALID_KEY", () => store.getMany(["a", key]), "getMany");
        await refused(
          "KV_INVALID_KEY",
          () =>
            store.setMany([
              ["a", 1],
              [key, 1],
            ]),
          "setMany",
        );
        await refused("KV_INVALID_KEY", () => store.delMany([key]), "delMany");
        await refused("KV_INVALID_KEY", () => store.commit([{ key, version: null }], []), "commit");
        if (key !== "" && key !== undefined) {
          await refused("KV_INVALID_KEY", async () => store.prefix(key), "prefix");
          await refused(
            "KV_INVALID_KEY",
            () => store.set("a", 1, { prefix: key }),
            "the prefix of set",
          );
        }
      }
      expectEqual(await store.has("a"), false, "a key of a refused call");
    },
  ],
];
