import { afterEach, describe, expect, it, vi } from "vitest";
import type { Store } from "../../src/index.ts";
import { type Namespace, namespace } from "../../src/namespace/index.ts";
import { compareKeys } from "../../src/record/utf8.ts";
import { isFull } from "../support/runs.ts";

/** What is known of the store that the suite runs on. */
export interface NamespaceSubject {
  /** How many bytes of a value are put at most. Default: all that a namespace takes. */
  valueBytes?: number;
}

const LIMIT = 25 * 1024 * 1024;

/** The bytes of the largest value that every client gets. */
const LONG = isFull ? LIMIT : 2 * 1024 * 1024;
const NAMES = [
  "",
  "a",
  "a/",
  "a/k",
  "a/k/a",
  "a%2F",
  "A",
  "\0",
  "a\0",
  "a:b",
  "😀",
  "__proto__",
  "../a",
];
const KEYS = [
  "c",
  "b:c",
  "k/c",
  "/",
  "\0",
  "../x",
  "%2F",
  "__proto__",
  "é",
  "\uffff",
  "😀",
  "x".repeat(512),
  `${"x".repeat(511)}y`,
  `${"😀".repeat(127)}é`,
  "😀".repeat(128),
];

/** Bytes by chance: nothing that a text or a compression could make smaller. */
export function randomBytes(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i += 65_536) crypto.getRandomValues(bytes.subarray(i, i + 65_536));
  return bytes;
}

/** All names, page by page. */
export async function namesOf(
  kv: Namespace,
  options: { prefix?: string; limit?: number } = {},
): Promise<string[]> {
  const names: string[] = [];
  for (let cursor: string | undefined; ;) {
    const page = await kv.list({ ...options, cursor });
    names.push(...page.keys.map(({ name }) => name));
    if (page.list_complete) return names;
    expect(page.keys.length).toBe(options.limit ?? 1000);
    cursor = page.cursor;
  }
}

/**
 * Everything that a namespace promises by the rules of this library, whatever it is over. `open`
 * answers with a store without data.
 */
export function namespaceSuite(
  what: string,
  open: () => Store | Promise<Store>,
  { valueBytes = LIMIT }: NamespaceSubject = {},
): void {
  const test = (name: string, work: (store: Store) => Promise<void>): void =>
    it(name, async () => {
      const store = await open();
      try {
        await work(store);
      } finally {
        vi.useRealTimers();
        await store.close();
      }
    });
  afterEach(() => vi.useRealTimers());

  describe(`${what} as namespaces`, () => {
    test("are isolated, whatever their names and keys contain", async (store) => {
      const keys = KEYS.slice(0, 5);
      for (const name of NAMES)
        for (const key of keys) await namespace(store, name).put(key, `${name}|${key}`);
      for (const name of NAMES) {
        const kv = namespace(store, name);
        expect([...(await kv.get(keys))]).toEqual(keys.map((key) => [key, `${name}|${key}`]));
        expect((await kv.list()).keys.map((key) => key.name)).toEqual(keys.toSorted(compareKeys));
      }
      await namespace(store, "a").delete("c");
      expect(await namespace(store, "a").get("c")).toBe(null);
      expect(await namespace(store, "a/k").get("c")).toBe("a/k|c");
    });

    test("keep every key up to 512 bytes, in byte order, by pages and prefixes", async (store) => {
      const kv = namespace(store, "keys");
      for (const key of KEYS) await kv.put(key, key, { metadata: key.length });
      const sorted = KEYS.toSorted(compareKeys);
      expect((await kv.list()).keys).toEqual(
        sorted.map((name) => ({ name, metadata: name.length })),
      );
      for (const limit of [1, 4]) expect(await namesOf(kv, { limit })).toEqual(sorted);
      for (const prefix of ["x", "x".repeat(511), `${"x".repeat(511)}y`, "😀", "/", "%", "none"]) {
        expect(await namesOf(kv, { prefix, limit: 1 })).toEqual(
          sorted.filter((key) => key.startsWith(prefix)),
        );
      }
      for (const key of KEYS) expect(await kv.get(key)).toBe(key);
      await expect(kv.put("x".repeat(513), "")).rejects.toMatchObject({
        name: "KvError",
        code: "KV_TOO_LARGE",
        message: "KV PUT failed: 414 UTF-8 encoded length of 513 exceeds key length limit of 512.",
      });
    });

    test("keep bytes, texts and objects, with metadata and deadline", async (store) => {
      const kv = namespace(store, "values");
      const all = Uint8Array.from({ length: 256 }, (_, i) => i);
      await kv.put("bytes", all, { metadata: { of: "bytes" }, expirationTtl: 1000 });
      all.fill(7);
      expect(new Uint8Array((await kv.get("bytes", "arrayBuffer"))!)).toEqual(
        Uint8Array.from({ length: 256 }, (_, i) => i),
      );
      const { metadata, expiration } = await kv.getWithMetadata("bytes", "arrayBuffer");
      expect(metadata).toEqual({ of: "bytes" });
      expect(Math.abs(expiration! - Date.now() / 1000 - 1000)).toBeLessThan(10);
      await kv.put("bytes", new Uint8Array(0));
      expect(await kv.getWithMetadata("bytes")).toEqual({
        value: "",
        metadata: null,
        expiration: null,
        cacheStatus: null,
      });
      expect((await kv.list()).keys).toEqual([{ name: "bytes" }]);
      await kv.put("object", { ["__proto__"]: [1, null, "é"] });
      expect(await kv.get("object")).toBe('{"__proto__":[1,null,"é"]}');
      await kv.put("number", 4.5);
      expect(await kv.get("number", { type: "json" })).toBe(4.5);
      const stream = await kv.get("object", "stream");
      await kv.put("copy", stream!);
      expect(await kv.get("copy")).toBe(await kv.get("object"));
      const long = randomBytes(Math.min(valueBytes, LONG));
      await kv.put("long", long, { metadata: 0 });
      expect(Buffer.from((await kv.get("long", "arrayBuffer"))!).equals(long)).toBe(true);
      expect((await kv.list({ prefix: "long" })).keys).toEqual([{ name: "long", metadata: 0 }]);
      if (valueBytes < LIMIT) {
        const error = await kv.put("long", randomBytes(LIMIT)).catch((each: unknown) => each);
        expect(["KV_TOO_LARGE", "KV_QUOTA"]).toContain((error as { code: string }).code);
        expect(Buffer.from((await kv.get("long", "arrayBuffer"))!).equals(long)).toBe(true);
      }
    });

    test("drop expired records to the second, and list full pages of others", async (store) => {
      vi.useFakeTimers({ toFake: ["Date"] });
      const now = Math.floor(Date.now() / 1000);
      const kv = namespace(store, "expiry");
      for (let i = 10; i < 30; i++)
        await kv.put(`k${i}`, "v", i % 2 === 0 ? { expirationTtl: 500 } : {});
      await kv.put("both", "v", { expiration: now + 5000, expirationTtl: 500 });
      expect((await kv.list({ prefix: "both" })).keys).toEqual([
        { name: "both", expiration: now + 5000 },
      ]);
      expect((await kv.list({ prefix: "k10" })).keys).toEqual([
        { name: "k10", expiration: now + 500 },
      ]);
      vi.setSystemTime((now + 500) * 1000 - 1);
      expect(await kv.get("k10")).toBe("v");
      vi.setSystemTime((now + 500) * 1000);
      expect([await kv.get("k10"), await kv.get("both")]).toEqual([null, "v"]);
      const odd = Array.from({ length: 10 }, (_, i) => `k${11 + 2 * i}`);
      expect(await namesOf(kv, { prefix: "k", limit: 5 })).toEqual(odd);
      expect((await kv.getWithMetadata(["k10", "k11"])).get("k10")).toEqual({
        value: null,
        metadata: null,
        expiration: null,
        cacheStatus: null,
      });
      for (const options of [
        { expirationTtl: 0 },
        { expiration: now - 5 },
        { expiration: 0, expirationTtl: 500 },
      ]) {
        await kv.put("k11", "gone", options);
        expect(await kv.get("k11")).toBe(null);
        expect((await kv.list({ prefix: "k11" })).keys).toEqual([]);
        await kv.put("k11", "back", { expiration: null, expirationTtl: null });
        expect((await kv.list({ prefix: "k11" })).keys).toEqual([{ name: "k11" }]);
      }
    });

    test("go on with a listing whatever is written and deleted meanwhile", async (store) => {
      const kv = namespace(store, "pages");
      const key = (i: number): string => `k${String(i).padStart(2, "0")}`;
      await Promise.all(Array.from({ length: 30 }, (_, i) => kv.put(key(i), "v")));
      const first = await kv.list({ limit: 10 });
      await Promise.all([
        kv.delete(key(9)),
        kv.delete(key(15)),
        kv.put("a", "before"),
        kv.put("k12b", "between"),
      ]);
      const second = await kv.list({ limit: 10, cursor: first.cursor! });
      const third = await kv.list({ cursor: second.cursor! });
      const found = [first, second, third].flatMap(({ keys }) => keys.map(({ name }) => name));
      expect(found).toEqual(
        [...Array.from({ length: 30 }, (_, i) => key(i)), "k12b"]
          .filter((name) => name !== key(15))
          .sort(),
      );
      expect(third).toMatchObject({ list_complete: true, cacheStatus: null });
      expect(third).not.toHaveProperty("cursor");
      for (const [other, options] of [
        [namespace(store, "others"), {}],
        [kv, { prefix: "k" }],
        [kv, { cursor: "garbage" }],
        [kv, { cursor: `${first.cursor}=` }],
      ] as const) {
        await expect(other.list({ cursor: first.cursor!, ...options })).rejects.toMatchObject({
          code: "KV_INVALID_CURSOR",
        });
      }
    });

    test("show value and metadata of the same write, with many writers at once", async (store) => {
      const kv = namespace(store, "race");
      await kv.put("key", "0", { metadata: "0" });
      const write = async (by: number): Promise<void> => {
        for (let i = 0; i < 5; i++) await kv.put("key", `${by}.${i}`, { metadata: `${by}.${i}` });
      };
      const torn: unknown[] = [];
      const look = async (): Promise<void> => {
        for (let i = 0; i < 20; i++) {
          const { value, metadata } = await kv.getWithMetadata("key");
          if (value !== metadata) torn.push([value, metadata]);
        }
      };
      await Promise.all([write(1), write(2), look(), write(3), look()]);
      expect(torn).toEqual([]);
      if (store.supports.atomic !== "no")
        expect((await kv.list()).keys[0]!.metadata).toBe(await kv.get("key"));
    });

    test("are closed with their store", async (store) => {
      const kv = namespace(store, "close");
      await kv.put("a", "1");
      await kv.close();
      await kv.close();
      const refused = await Promise.allSettled([
        kv.get("a"),
        kv.put("a", "1"),
        kv.delete("a"),
        kv.list(),
        kv.get(["a"]),
        kv.getWithMetadata("a"),
      ]);
      expect(
        refused.map(
          (result) => result.status === "rejected" && (result.reason as { code: string }).code,
        ),
      ).toEqual(Array(6).fill("KV_CLOSED"));
    });
  });
}
