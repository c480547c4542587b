import { build } from "esbuild";
import { createRequire } from "node:module";
import process from "node:process";
import { runInThisContext } from "node:vm";
import { afterEach, describe, expect, it, vi } from "vitest";
import { memory } from "../../src/clients/memory.ts";
import type { Source } from "../../src/clients/define.ts";
import { rich } from "../../src/codec.ts";
import kv, { KvError } from "../../src/index.ts";

import {
  createKV,
  type Namespace,
  namespace,
  type NamespaceOptions,
} from "../../src/namespace/index.ts";
import type { Supports } from "../../src/types.ts";
import { namesOf } from "../suites/namespace-suite.ts";
import type { Adapter } from "../../src/clients/adapter.ts";
import { compareKeys, utf8Length } from "../../src/record/utf8.ts";

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const over = (options?: NamespaceOptions): Namespace => namespace(kv(new Map()), "test", options);
const refusal = async (
  work: Promise<unknown>,
): Promise<{ name: string; code: string; message: string }> =>
  work.then(
    () => expect.fail("it was not refused"),
    (error: unknown) => error as never,
  );

/**
 * A client in memory that declares something else of itself, and does some things in another way.
 */
function changed(
  map: Map<unknown, unknown>,
  supports: Partial<Supports>,
  change: (adapter: Adapter) => Partial<Adapter> = () => ({}),
): Source {
  const source = memory(map);
  return {
    ...source,
    supports: { ...source.supports, ...supports },
    open: async () => {
      const adapter = await source.open();
      return { ...adapter, ...change(adapter) };
    },
  };
}

describe("a listing", () => {
  it("is read without a value", async () => {
    const read: string[] = [];
    const watched = changed(new Map(), {}, (adapter) => ({
      get: (key) => (read.push(key), adapter.get(key)),
      *iterate(prefix, values) {
        for (const pair of adapter.iterate!(prefix, values) as Iterable<readonly [string, never]>) {
          read.push(pair[0]);
          yield pair;
        }
      },
      async seek(query) {
        const page = await adapter.seek!(query);
        read.push(...page!.entries.map(([key]) => key));
        return page;
      },
    }));
    const own = namespace(kv(watched), "a");
    for (let i = 0; i < 20; i++) await own.put(`k${i}`, "v", { metadata: i });
    read.length = 0;
    expect((await own.list({ prefix: "k1" })).keys.length).toBe(11);
    expect(await namesOf(own, { limit: 3 })).toHaveLength(20);
    expect(read.length).toBeGreaterThan(30);
    expect(read.filter((key) => !key.startsWith("a/k/"))).toEqual([]);
    await own.get("k1");
    expect(read.at(-1)).toBe("a/v/k1");
  });

  it("is in order where the client has short keys, also below a long prefix", async () => {
    const stem = "é".repeat(200);
    const keys = [
      "a",
      "z",
      stem,
      `${stem}a`,
      `${stem}é`,
      "é".repeat(199),
      "é".repeat(198) + "z",
      ...Array.from(
        { length: 40 },
        (_, i) => `${stem}${"x".repeat(60)}${String((i * 7) % 40).padStart(2, "0")}`,
      ),
      "x".repeat(512),
      `${"x".repeat(511)}y`,
      "x".repeat(450),
      "😀".repeat(128),
      `${"😀".repeat(127)}abcd`,
    ];
    for (const [keyBytes, before] of [
      [512, ""],
      [600, "é".repeat(100)],
      [512, "p".repeat(420)],
    ] as const) {
      const map = new Map<string, unknown>();
      const store = kv(changed(map as never, { keyBytes }), { prefix: before });
      const own = namespace(store, "a");
      for (const key of keys) await own.put(key, key, { metadata: utf8Length(key) });
      // The key that a shortened one is kept under is a key of somebody's, too.
      const shortened = [...map.keys()]
        .map((key) => key.slice(before.length))
        .filter((key) => /^a\/k\/.*~[0-9a-f]{64}$/.test(key))
        .map((key) => key.slice(4));
      expect(shortened.length).toBeGreaterThan(3);
      for (const key of shortened) await own.put(key, key, { metadata: utf8Length(key) });
      const sorted = [...keys, ...shortened].sort(compareKeys);
      expect((await own.list()).keys).toEqual(
        sorted.map((name) => ({ name, metadata: utf8Length(name) })),
      );
      for (const limit of [3, 7]) expect(await namesOf(own, { limit })).toEqual(sorted);
      for (const prefix of [
        stem,
        `${stem}x`,
        `${stem}${"x".repeat(60)}1`,
        "é",
        "😀".repeat(127),
        "none",
        "x".repeat(512),
      ]) {
        expect(await namesOf(own, { prefix, limit: 4 })).toEqual(
          sorted.filter((key) => key.startsWith(prefix)),
        );
      }
      expect([...(await own.get(keys))]).toEqual(keys.map((key) => [key, key]));
      const first = await own.list({ limit: 12 });
      await own.delete(first.keys.at(-1)!.name);
      expect((await own.list({ cursor: first.cursor! })).keys.map(({ name }) => name)).toEqual(
        sorted.slice(12),
      );
      for (const key of map.keys()) expect(utf8Length(key)).toBeLessThanOrEqual(keyBytes);
      for (const key of sorted) await own.delete(key);
      expect(map.size).toBe(0);
    }
  });

  it("matches reads, also where only one of two writes succeeds", async () => {
    const map = new Map();
    let left = Infinity;
    const failing = changed(map, { atomic: "no" }, (adapter) => ({
      commit: undefined as never,
      set: (key, record) => {
        if (left-- <= 0) throw new Error("cut off");
        return adapter.set(key, record);
      },
      del: (key) => {
        if (left-- <= 0) throw new Error("cut off");
        return adapter.del(key);
      },
    }));
    const own = namespace(kv(failing), "a");
    const after = async (count: number, work: () => Promise<unknown>): Promise<unknown> => {
      left = count;
      await expect(work()).rejects.toMatchObject({ code: "KV_CONNECTION" });
      left = Infinity;
      return [await own.get("key"), (await own.list()).keys];
    };
    expect(await after(1, () => own.put("key", "one"))).toEqual([null, [{ name: "key" }]]);
    await own.put("key", "one", { metadata: 1 });
    expect(await after(0, () => own.put("key", "two", { metadata: 2 }))).toEqual([
      "one",
      [{ name: "key", metadata: 1 }],
    ]);
    expect(await after(1, () => own.put("key", "two", { metadata: 2 }))).toEqual([
      "one",
      [{ name: "key", metadata: 2 }],
    ]);
    // One read tells what was put together.
    expect(await own.getWithMetadata("key")).toMatchObject({ value: "one", metadata: 1 });
    expect(await after(1, () => own.delete("key"))).toEqual([null, [{ name: "key", metadata: 2 }]]);
    await own.delete("key");
    expect(map.size).toBe(0);
  });

  it("is written one after the other where a cluster keeps the two apart", async () => {
    const map = new Map();
    const apart = changed(map, { atomic: "yes" }, () => ({
      commit: () => {
        throw new KvError("KV_CROSS_SLOT", "in two places");
      },
    }));
    const own = namespace(kv(apart), "a");
    await own.put("key", "one", { metadata: 1 });
    expect([await own.get("key"), (await own.list()).keys]).toEqual([
      "one",
      [{ name: "key", metadata: 1 }],
    ]);
    await own.delete("key");
    expect(map.size).toBe(0);
  });
});

it("writes nothing when a commit fails", async () => {
  const map = new Map();
  const full = changed(map, { atomic: "yes" }, () => ({
    commit: () => {
      throw new KvError("KV_QUOTA", "no room");
    },
  }));
  const own = namespace(kv(full), "a");
  for (const work of [own.put("key", "one"), own.delete("key")])
    expect(await refusal(work)).toMatchObject({ code: "KV_QUOTA" });
  expect(map.size).toBe(0);
});

describe("by the rules of this library", () => {
  it("invalid input is refused with a code, and the old value stays", async () => {
    const own = over();
    await own.put("a", "before", { metadata: 1 });
    const put = (value: unknown, options?: unknown): Promise<unknown> =>
      own.put("a", value as never, options as never);
    const cycle: { self?: unknown } = {};
    cycle.self = cycle;
    const detached = new Uint8Array(4);
    structuredClone(detached.buffer, { transfer: [detached.buffer] });
    const texts = new ReadableStream({
      start: (controller) => (controller.enqueue("text"), controller.close()),
    });
    const locked = new Blob(["x"]).stream();
    locked.getReader();
    const refused: [string, Promise<unknown>][] = [
      ...[-1, 0.5, NaN, Infinity, "60", 1e12, 2n].map(
        (expirationTtl): [string, Promise<unknown>] => [
          "KV_INVALID_EXPIRES",
          put("v", { expirationTtl }),
        ],
      ),
      ...[-1, 0.5, NaN, Infinity, "60", Date.now(), new Date()].map(
        (expiration): [string, Promise<unknown>] => [
          "KV_INVALID_EXPIRES",
          put("v", { expiration, expirationTtl: 60 }),
        ],
      ),
      ...[
        null,
        undefined,
        new Date(),
        NaN,
        1n,
        Symbol("x"),
        () => 1,
        cycle,
        { a: new Map() },
        new Blob(["x"]),
        detached,
        detached.buffer,
        texts,
        locked,
      ].map((value): [string, Promise<unknown>] => ["KV_INVALID_VALUE", put(value)]),
      ...[new Date(), 1n, cycle, { a: NaN }].map((metadata): [string, Promise<unknown>] => [
        "KV_INVALID_VALUE",
        put("v", { metadata }),
      ]),
      ["KV_TOO_LARGE", put("v", { metadata: "é".repeat(512) })],
      ...[60, "60", true].map((options): [string, Promise<unknown>] => [
        "KV_INVALID_EXPIRES",
        put("v", options),
      ]),
      ["KV_TOO_LARGE", put(new Uint8Array(26_214_401))],
      ...[5, null, undefined, {}, "", ".", "..", "\ud800"].map(
        (key): [string, Promise<unknown>] => ["KV_INVALID_KEY", own.get(key as never)],
      ),
      ...[5, "", "\ud800"].map((key): [string, Promise<unknown>] => [
        "KV_INVALID_KEY",
        own.delete(key as never),
      ]),
      ["KV_INVALID_KEY", own.get(["a", 5 as never])],
      ["KV_INVALID_KEY", own.list({ prefix: 5 as never })],
      ["KV_INVALID_KEY", own.list({ prefix: "\ud800" })],
      ["KV_TOO_LARGE", own.list({ prefix: "x".repeat(513) })],
      ...[0, -1, 1.5, NaN, "5", 1001].map((limit): [string, Promise<unknown>] => [
        "KV_INVALID_VALUE",
        own.list({ limit: limit as never }),
      ]),
      ["KV_INVALID_VALUE", own.list("a" as never)],
      ["KV_INVALID_CURSOR", own.list({ cursor: "garbage" })],
      ["KV_INVALID_VALUE", own.get("missing", "xml" as never)],
      ["KV_INVALID_VALUE", own.get("a", 60 as never)],
      ["KV_INVALID_VALUE", own.get("a", "json")],
      ["KV_INVALID_VALUE", own.get("a", { cacheTtl: 5 })],
      ["KV_INVALID_VALUE", own.get([])],
      ["KV_TOO_LARGE", own.get(Array.from({ length: 101 }, String))],
      ["KV_INVALID_VALUE", own.get(["a"], "stream" as never)],
      ["KV_INVALID_VALUE", own.get(["a"], "json")],
    ];
    for (const [i, [code, work]] of refused.entries())
      expect(await refusal(work), String(i)).toMatchObject({ name: "KvError", code });
    expect(await own.getWithMetadata("a")).toMatchObject({ value: "before", metadata: 1 });
    expect((await own.list()).keys).toEqual([{ name: "a", metadata: 1 }]);
    expect((await refusal(put({ user: { born: new Date() } }))).message).toBe(
      "value.user.born is a Date: put() takes text, bytes, web streams and JSON",
    );
    expect((await refusal(put("v", { metadata: new Date() }))).message).toBe(
      "metadata is a Date: it has to be JSON",
    );
    expect((await refusal(put("v", { expiration: Date.now() }))).message).toContain(
      "not of milliseconds",
    );
    expect((await refusal(own.get("a", "json"))).message).not.toContain("before");
    for (const name of [5, null, "\ud800"])
      expect(() => namespace(kv(), name as never)).toThrow(
        expect.objectContaining({ code: "KV_INVALID_KEY" }),
      );
    expect(() => namespace(new Map() as never, "a")).toThrow(
      expect.objectContaining({ code: "KV_INVALID_CLIENT" }),
    );
    for (const wrong of [null, 5, "workers", kv(), new Map()]) {
      expect(() => namespace(kv(), "a", wrong as never), String(wrong)).toThrow(
        expect.objectContaining({
          code: "KV_INVALID_CLIENT",
          message: "the options of namespace() are an object: { compat }",
        }),
      );
      // Not quietly into the database under the working directory.
      expect(() => createKV(wrong as never), String(wrong)).toThrow(
        expect.objectContaining({
          code: "KV_INVALID_CLIENT",
          message: "the options of createKV() are an object: { store, dataDir, compat }",
        }),
      );
    }
    for (const wrong of [
      { store: new Map() },
      { store: null },
      { dataDir: null },
      { dataDir: 5 },
      { dataDir: new URL("file:///tmp/data") },
    ])
      expect(() => createKV(wrong as never)).toThrow(
        expect.objectContaining({ code: "KV_INVALID_CLIENT" }),
      );
    for (const make of [over, createKV])
      expect(() => make({ compat: "luat" as never })).toThrow(
        expect.objectContaining({ code: "KV_INVALID_VALUE" }),
      );
  });

  it("a stream is cancelled once it is too long; a failed one stores nothing", async () => {
    const own = over();
    await own.put("a", "before");
    let cancelled: unknown;
    const chunk = new Uint8Array(1024 * 1024);
    let chunks = 0;
    const endless = new ReadableStream({
      pull: (controller) => (chunks++, controller.enqueue(chunk)),
      cancel: (reason) => ((cancelled = reason), new Promise(() => {})),
    });
    expect(await refusal(own.put("a", endless))).toMatchObject({
      code: "KV_TOO_LARGE",
      message: `KV PUT failed: 413 Value length of ${26 * 1024 * 1024} exceeds limit of 26214400.`,
    });
    expect(cancelled).toMatchObject({ code: "KV_TOO_LARGE" });
    expect(chunks).toBeLessThan(30);
    let pulls = 0;
    const failing = new ReadableStream({
      pull: (controller) =>
        pulls++ < 2
          ? controller.enqueue(new Uint8Array(3))
          : controller.error(new RangeError("broken")),
    });
    await expect(own.put("a", failing)).rejects.toThrow(new RangeError("broken"));
    expect(await own.get("a")).toBe("before");
  });

  it("values are those of the moment when put() was called", async () => {
    const own = over();
    const bytes = new Uint8Array([1, 2, 3, 4]);
    const object = { a: [1] };
    const metadata = { by: "ann" };
    const written = [
      own.put("view", bytes.subarray(1, 3)),
      own.put("buffer", bytes.buffer),
      own.put("object", object, { metadata }),
    ];
    bytes.fill(9);
    object.a.push(2);
    metadata.by = "eve";
    await Promise.all(written);
    expect(new Uint8Array((await own.get("view", "arrayBuffer"))!)).toEqual(new Uint8Array([2, 3]));
    const found = (await own.get("buffer", "arrayBuffer"))!;
    new Uint8Array(found).fill(7);
    expect(new Uint8Array((await own.get("buffer", "arrayBuffer"))!)).toEqual(
      new Uint8Array([1, 2, 3, 4]),
    );
    expect(await own.getWithMetadata("object")).toMatchObject({
      value: '{"a":[1]}',
      metadata: { by: "ann" },
    });
    await own.put("surrogate", "x\ud800y");
    expect(await own.get("surrogate")).toBe("x\ufffdy");
    const shared = new Uint8Array(new SharedArrayBuffer(2)).fill(5);
    await own.put("shared", shared);
    expect(new Uint8Array((await own.get("shared", "arrayBuffer"))!)).toEqual(
      new Uint8Array([5, 5]),
    );
  });

  it("a clock that jumps hides and revives nothing for good", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: 1_800_000_000_400 });
    const own = namespace(kv(new Map(), { expires: "1m" }), "a");
    await own.put("ttl", "v", { expirationTtl: 10 });
    await own.put("none", "v");
    expect((await own.list()).keys).toEqual([
      { name: "none", expiration: 1_800_000_061 },
      { name: "ttl", expiration: 1_800_000_010 },
    ]);
    vi.setSystemTime(1_700_000_000_000);
    expect([await own.get("ttl"), (await own.list()).keys.length]).toEqual(["v", 2]);
    vi.setSystemTime(1_800_000_010_000);
    expect([await own.get("ttl"), (await own.list()).keys.map(({ name }) => name)]).toEqual([
      null,
      ["none"],
    ]);
    vi.setSystemTime(1_800_000_061_000);
    expect([await own.get("none"), (await own.list()).keys]).toEqual([null, []]);
    for (const options of [{ expiration: null }, { expirationTtl: null }])
      await own.put(Object.keys(options)[0]!, "v", options);
    expect((await own.list()).keys).toEqual([{ name: "expiration" }, { name: "expirationTtl" }]);
    const late = namespace(kv(new Map(), { expires: new Date(253_402_300_799_999) }), "a");
    await late.put("end of time", "v");
    expect((await late.list()).keys).toEqual([
      { name: "end of time", expiration: 253_402_300_799 },
    ]);
  });

  it("a codec, a promise of a client and an outer store change nothing", async () => {
    const map = new Map();
    const own = namespace(kv(Promise.resolve(map)).prefix("p:"), "a");
    await own.put("b", new Uint8Array([0, 255]));
    await own.put("c", '"text"', { metadata: [1] });
    const again = namespace(kv(map, { codec: rich, prefix: "p:" }), "a");
    expect(new Uint8Array((await again.get("b", "arrayBuffer"))!)).toEqual(
      new Uint8Array([0, 255]),
    );
    expect([await again.get("c", "json"), (await again.list()).keys]).toEqual([
      "text",
      [{ name: "b" }, { name: "c", metadata: [1] }],
    ]);
    expect([...map.keys()].sort()).toEqual(["p:a/k/b", "p:a/k/c", "p:a/v/b", "p:a/v/c"]);
    const store = kv(map, { prefix: "p:" });
    // Not even who looks below gets at what is kept.
    (await store.get<Uint8Array>("a/v/b"))!.fill(7);
    expect(new Uint8Array((await own.get("b", "arrayBuffer"))!)).toEqual(new Uint8Array([0, 255]));
    await expect(store.set("bytes", new Uint8Array(1) as never)).rejects.toMatchObject({
      code: "KV_INVALID_VALUE",
    });
    await store.set("a/v/c", 5);
    expect(await refusal(own.get("c"))).toMatchObject({
      code: "KV_CORRUPT",
      key: "p:a/v/c".slice(2),
    });
    await own.put("c", "new");
    expect(await own.get("c")).toBe("new");
  });
});

it("by the rules of Workers KV errors are its own, with a code", async () => {
  const own = over({ compat: "workers" });
  await own.put("a", "{");
  expect(await refusal(own.put("", "v"))).toMatchObject({
    name: "TypeError",
    message: "Key name cannot be empty.",
    code: "KV_INVALID_KEY",
  });
  expect(await refusal(own.put("b", "v", { expirationTtl: 59 }))).toMatchObject({
    name: "Error",
    message: "KV PUT failed: 400 Invalid expiration_ttl of 59. Expiration TTL must be at least 60.",
    code: "KV_INVALID_EXPIRES",
  });
  expect(await refusal(own.put("b", {}))).toMatchObject({
    name: "TypeError",
    message:
      "KV put() accepts only strings, ArrayBuffers, ArrayBufferViews, and " +
      "ReadableStreams as values.",
  });
  expect(await refusal(own.get("a", "json"))).toBeInstanceOf(SyntaxError);
  expect(await refusal(own.list({ limit: 1001 }))).toMatchObject({
    name: "Error",
    message:
      "KV GET failed: 400 Invalid key_count_limit of 1001. Please specify an integer " +
      "less than 1000.",
  });
  await own.close();
  expect(await refusal(own.get("a"))).toMatchObject({ name: "KvError", code: "KV_CLOSED" });
});

it("with the rules of Workers KV, errors and bulk reads have only its members", async () => {
  const own = over({ compat: "workers" });
  await own.put("a", "v", { expirationTtl: 60, metadata: { testing: true } });
  const now = Math.floor(Date.now() / 1000);
  const errors: [() => Promise<unknown>, Error][] = [
    [() => own.get(""), new TypeError("Key name cannot be empty.")],
    [() => own.put(".", "v"), new TypeError('"." is not allowed as a key name.')],
    [
      () => own.delete("x".repeat(513)),
      new Error(
        "KV DELETE failed: 414 UTF-8 encoded length of 513 exceeds key length limit of 512.",
      ),
    ],
    [
      () => own.get("a", { cacheTtl: 10 }),
      new Error("KV GET failed: 400 Invalid cache_ttl of 10. Cache TTL must be at least 30."),
    ],
    [
      () => own.put("a", "v", { expirationTtl: 30 }),
      new Error(
        "KV PUT failed: 400 Invalid expiration_ttl of 30. Expiration TTL must be at least 60.",
      ),
    ],
    [
      () => own.put("a", "v", { expiration: now + 30 }),
      new Error(
        `KV PUT failed: 400 Invalid expiration of ${now + 30}. Expiration times must be ` +
          "at least 60 seconds in the future.",
      ),
    ],
    [
      () => own.put("a", "v", { metadata: "x".repeat(1023) }),
      new Error("KV PUT failed: 413 Metadata length of 1025 exceeds limit of 1024."),
    ],
    [
      () => own.list({ limit: 1001 }),
      new Error(
        "KV GET failed: 400 Invalid key_count_limit of 1001. Please specify an integer " +
          "less than 1000.",
      ),
    ],
    [
      () => own.get(["a"], "xml" as never),
      new Error('KV GET_BULK failed: 400 "xml" is not a valid type. Use "json" or "text"'),
    ],
  ];
  for (const [work, error] of errors) expect(await refusal(work())).toStrictEqual(error);
  const expected = new Map<string, unknown>([
    ["a", { value: "v", metadata: { testing: true } }],
    ["b", null],
  ]);
  expect(await own.getWithMetadata(["a", "b"])).toStrictEqual(expected);
});

describe("namespaces by their names", () => {
  it("are kept in the given store, or in memory without SQLite", async () => {
    const store = kv(new Map());
    const given = createKV({ store, compat: "workers" });
    expect(given.storage).toBe("MEMORY");
    await given.namespace("a").put("b", "v");
    expect(await namespace(store, "a").get("b")).toBe("v");
    await expect(given.namespace("a").put("b", {})).rejects.toThrow(TypeError);

    vi.spyOn(process, "getBuiltinModule").mockReturnValue(undefined as never);
    const inMemory = createKV();
    expect(inMemory.storage).toBe("MEMORY");
    await inMemory.namespace("a").put("b", new Uint8Array([200]));
    expect(new Uint8Array((await inMemory.namespace("a").get("b", "arrayBuffer"))!)).toEqual(
      new Uint8Array([200]),
    );
    expect(await createKV().namespace("a").get("b")).toBe(null);
    expect(() => createKV({ dataDir: "x" }).storage).toThrow(
      expect.objectContaining({ code: "KV_NOT_SUPPORTED" }),
    );
    await using disposed = inMemory as AsyncDisposable & typeof inMemory;
    await disposed.close();
    await expect(inMemory.namespace("a").get("b")).rejects.toMatchObject({ code: "KV_CLOSED" });
  });

  it("are bundled for a browser without a module of Node", async () => {
    const { outputFiles, metafile } = await build({
      stdin: {
        contents: 'import { KV } from "./src/namespace/index.ts"; globalThis.KV = KV;',
        resolveDir: process.cwd(),
      },
      bundle: true,
      platform: "browser",
      format: "esm",
      splitting: true,
      outdir: "out",
      write: false,
      metafile: true,
      logLevel: "error",
    });
    const imports = Object.values(metafile.outputs).flatMap((output) =>
      output.imports.map(({ path }) => path),
    );
    expect(imports.filter((path) => !path.startsWith("out/"))).toEqual([]);
    expect(outputFiles.length).toBeGreaterThan(1);
  });

  it("are bundled into CommonJS, too", async () => {
    const { outputFiles } = await build({
      stdin: {
        contents: 'export { createKV } from "./src/namespace/index.ts";',
        resolveDir: process.cwd(),
      },
      bundle: true,
      platform: "node",
      format: "cjs",
      write: false,
      logLevel: "error",
    });
    const module = { exports: {} as { createKV: typeof createKV } };
    (
      runInThisContext(`(function (module, require) {${outputFiles[0]!.text}\n})`) as (
        ...given: unknown[]
      ) => void
    )(module, createRequire(import.meta.url));
    expect(module.exports.createKV().storage).toBe("SQLITE");
  });

  it("are loaded from a URL that is no file, as Deno does from a server", async () => {
    const { outputFiles } = await build({
      stdin: {
        contents: 'export { createKV } from "./src/namespace/index.ts";',
        resolveDir: process.cwd(),
      },
      bundle: true,
      platform: "neutral",
      mainFields: ["module", "main"],
      format: "esm",
      write: false,
      logLevel: "error",
    });
    const bundle = Buffer.from(outputFiles[0]!.contents).toString("base64");
    const module = (await import(/* @vite-ignore */ `data:text/javascript;base64,${bundle}`)) as {
      createKV: typeof createKV;
    };
    expect(module.createKV().storage).toBe("SQLITE");
  });
});
