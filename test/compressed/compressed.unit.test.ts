import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { increment } from "../../src/atomic/index.ts";
import { compressed } from "../../src/compressed/index.ts";
import type { KvError } from "../../src/errors.ts";
import kv, { type Store } from "../../src/index.ts";
import { namespace } from "../../src/namespace/index.ts";
import { StoredRecord } from "../../src/record/record.ts";

const long = "<p>Hello</p>".repeat(1000);

const errorOf = (work: Promise<unknown>): Promise<KvError> =>
  work.then(
    () => expect.fail("it was not rejected"),
    (error: KvError) => error,
  );

/** A client that keeps JSON, as servers do. */
function texts(map: Map<string, string>): Store {
  return kv({
    get: (key: string) => JSON.parse(map.get(key) ?? "null") as unknown,
    set: (key: string, value: unknown) => void map.set(key, JSON.stringify(value)),
    del: (key: string) => void map.delete(key),
    *iterate(prefix: string) {
      for (const [key, text] of map)
        if (key.startsWith(prefix)) yield [key, JSON.parse(text)] as const;
    },
  });
}

describe("compressed()", () => {
  it("makes large values smaller and leaves small ones", async () => {
    const map = new Map<string, string>();
    const store = compressed(texts(map));
    await store.set("long", long, { metadata: { type: "html" } });
    await store.set("short", { a: 1 });
    expect(map.get("long")!.length).toBeLessThan(300);
    expect(map.get("short")).toContain('"value":{"a":1}');
    expect(map.get("long")).toContain('"metadata":{"type":"html"}');
    expect(await store.entries()).toEqual([
      ["long", long],
      ["short", { a: 1 }],
    ]);
    expect((await store.entry("long"))!.metadata).toEqual({ type: "html" });
  });

  it("reads values that were stored without it", async () => {
    const map = new Map();
    await kv(map).set("a", long);
    expect(await compressed(map).get("a")).toBe(long);
  });

  it("leaves values that do not get smaller", async () => {
    const map = new Map<string, string>();
    const random = Buffer.from(crypto.getRandomValues(new Uint8Array(3000))).toString("base64");
    await compressed(texts(map)).set("a", random);
    expect(map.get("a")).toContain(random);
  });

  it.each([0, 10, 1024])("keeps values that look compressed, over %i bytes", async (over) => {
    for (const open of [() => new Map<string, unknown>(), () => texts(new Map())]) {
      const store = compressed(open() as Map<string, unknown>, { over });
      for (const value of [
        { $compressed: "x" },
        { $compressed: "YWt6MQAx" },
        { $compressed: { $compressed: "x" } },
        { $compressed: "x".repeat(5000) },
        { $compressed: 1 },
        { $compressed: "x", b: 1 },
        0,
        false,
        "",
        5e-324,
        -1.7976931348623157e308,
      ]) {
        await store.set("k", value);
        expect(await store.get("k")).toEqual(value);
      }
    }
  });

  it("keeps the bytes of namespaces as they are", async () => {
    const odd = new TextEncoder().encode("akz1 looks compressed");
    for (const client of [new Map<string, unknown>(), texts(new Map())])
      for (const over of [0, 1024]) {
        const space = namespace(compressed(client as Map<string, unknown>, { over }), "bytes");
        for (const data of [odd, new Uint8Array(0), new Uint8Array(5000)]) {
          await space.put("k", data);
          expect(new Uint8Array((await space.get("k", "arrayBuffer"))!)).toEqual(data);
        }
      }
  });

  it("rejects values above maxBytes, and keeps the old one", async () => {
    const store = compressed(new Map(), { maxBytes: 2000 });
    await store.set("k", "before");
    for (const write of [
      () => store.set("k", long),
      () => store.setMany([["k", long]]),
      () => store.commit([], [{ key: "k", value: long }]),
    ])
      expect(await errorOf(write())).toMatchObject({ code: "KV_TOO_LARGE" });
    expect(await store.get("k")).toBe("before");
  });

  it("stops a record that would fill the memory", async () => {
    const bomb = gzipSync(Buffer.alloc(100_000_000, 32));
    const map = new Map<string, unknown>();
    const value = Buffer.concat([Buffer.from("akz1\u0002"), bomb]);
    map.set("k", new StoredRecord(new Uint8Array(value) as never, null, 1, null));
    const store = compressed(map, { maxBytes: 1_000_000 });
    const before = process.memoryUsage().rss;
    const error = await errorOf(store.get("k"));
    expect(error).toMatchObject({ code: "KV_CORRUPT", key: "k" });
    expect(error.message).toContain("more than 1000000 bytes");
    expect(process.memoryUsage().rss - before).toBeLessThan(60_000_000);
    expect((await errorOf(store.values())).code).toBe("KV_CORRUPT");
    await store.set("k", 1);
    expect(await store.get("k")).toBe(1);
  });

  it("rejects damaged records with KV_CORRUPT", async () => {
    const map = new Map<string, unknown>();
    const store = compressed(map);
    await store.set("k", long);
    const { value } = map.get("k") as { value: Uint8Array };
    for (let i = 4; i < value.length; i++) {
      const bad = value.slice();
      bad[i]! ^= 255;
      map.set("k", new StoredRecord(bad as never, null, 1, null));
      const read: unknown = await store.get("k").catch((error: KvError) => error.code);
      // A few bits of the header of gzip mean nothing, such as its time.
      expect(["KV_CORRUPT", long]).toContain(read);
    }
    for (const bad of [{ $compressed: "%" }, { $compressed: "YWt6MQn_" }, { $compressed: "" }]) {
      await kv(map).set("k", bad);
      expect((await errorOf(store.get("k"))).code).toBe("KV_CORRUPT");
    }
  });

  it("pages through values that are much larger than their records", async () => {
    const map = new Map();
    const store = compressed(map);
    const value = "x".repeat(200_000);
    await store.setMany(Array.from({ length: 70 }, (_, i) => [String(i).padStart(2, "0"), value]));
    const seen: string[] = [];
    for await (const [key, read] of store) {
      expect(read === value).toBe(true);
      seen.push(key);
    }
    const { entries } = await store.list({ reverse: true });
    expect(entries.map(({ key }) => key)).toEqual(seen.sort().reverse());
    expect(seen.length).toBe(70);
  });

  it("counts", async () => {
    for (const over of [0, 1024]) {
      const store = compressed(new Map(), { over }) as Store;
      await Promise.all(Array.from({ length: 20 }, () => increment(store, "n")));
      expect(await store.get("n")).toBe(20);
    }
  });

  it.each<[name: string, options: unknown]>([
    ["another name", { min: 5 }],
    ["a text", { over: "1024" }],
    ["a negative number", { over: -1 }],
    ["a fraction", { over: 0.5 }],
    ["nothing as a limit", { maxBytes: 0 }],
    ["an endless limit", { maxBytes: Infinity }],
    ["a bare number", 1024],
  ])("rejects %s as options", (_, options) => {
    expect(() => compressed(new Map(), options as never)).toThrow(
      expect.objectContaining({ code: "KV_INVALID_VALUE" }),
    );
  });
});
