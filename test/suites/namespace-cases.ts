/** The members of a Workers KV binding, as loosely as programs in JavaScript use them. */
export interface LooseKv {
  get(key: unknown, type?: unknown): Promise<unknown>;
  getWithMetadata(key: unknown, type?: unknown): Promise<unknown>;
  put(key: unknown, value: unknown, options?: unknown): Promise<void>;
  delete(key: unknown): Promise<void>;
  list(options?: unknown): Promise<{
    keys: { name: string; expiration?: number; metadata?: unknown }[];
    list_complete: boolean;
    cursor?: string;
    cacheStatus: unknown;
  }>;
}

/**
 * One statement about an empty namespace: what is seen of it is JSON, on Workers KV and here alike.
 */
export interface NamespaceCase {
  readonly name: string;
  run(kv: LooseKv): Promise<unknown>;
}

const MIB = 1024 * 1024;
const LIMIT = 25 * MIB;
const inAnHour = (): number => Math.floor(Date.now() / 1000) + 3600;

/** What an operation ends with. */
async function ended(work: () => Promise<unknown>): Promise<unknown> {
  try {
    return { value: (await work()) ?? null };
  } catch (error) {
    const { name, message } = error as Error;
    // Test runners compare errors by their enumerable members as well.
    return { error: name, message, members: Object.keys(error as Error) };
  }
}

/** What many operations end with, one after the other. */
async function each<T>(
  inputs: readonly T[],
  work: (input: T) => Promise<unknown>,
): Promise<unknown[]> {
  const seen: unknown[] = [];
  for (const input of inputs) seen.push(await ended(() => work(input)));
  return seen;
}

const names = (page: { keys: { name: string }[] }): string[] => page.keys.map(({ name }) => name);
/** Without what only we tell. */
function told(found: unknown): unknown {
  if (found === null || typeof found !== "object") return found;
  const {
    expiration: _,
    cacheStatus,
    ...rest
  } = found as { expiration?: unknown; cacheStatus?: unknown };
  return { ...rest, status: cacheStatus ?? null };
}
const bytes = (...all: number[]): Uint8Array => new Uint8Array(all);
const read = async (kv: LooseKv, key: string): Promise<number[]> => [
  ...new Uint8Array((await kv.get(key, "arrayBuffer")) as ArrayBuffer),
];
function streamOf(...chunks: readonly unknown[]): ReadableStream {
  return new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
}
/** Texts that depend on the clock: only their distance counts. */
const distance = (seconds: number | undefined, from: number): number =>
  Math.round(((seconds ?? 0) - from) / 5);

const KEYS = [
  "a",
  "A",
  "/",
  " ",
  "\n",
  "a\0b",
  "%",
  "?q#h",
  "%2F",
  "a/../b",
  "...",
  "__proto__",
  "constructor",
  "é",
  "\uffff",
  "😀",
  "😀".repeat(128),
  "x".repeat(512),
  "key\\_%",
  '"',
  "1",
  "0",
];

export const NAMESPACE_CASES: readonly NamespaceCase[] = [
  {
    name: "keys of every kind come back exact, in the order of their bytes",
    async run(kv) {
      for (const key of KEYS) await kv.put(key, `value of ${key}`);
      const values = [];
      for (const key of KEYS) values.push(await kv.get(key));
      return [values, names(await kv.list())];
    },
  },
  {
    name: "keys that are refused, by each method",
    run: async (kv) => {
      const refused = ["", ".", "..", "x".repeat(513), "é".repeat(257), "\ud800"];
      return [
        await each(refused, (key) => kv.get(key)),
        await each(refused, (key) => kv.getWithMetadata(key)),
        await each(refused, (key) => kv.put(key, "v")),
        await each(refused, (key) => kv.delete(key)),
        await each(refused.slice(0, 5), (key) => kv.get([key])),
      ];
    },
  },
  {
    name: "keys that are no texts become texts",
    run: async (kv) => {
      await each([5, null, undefined, {}, true], (key) => kv.put(key, `${String(key)}!`));
      return [
        names(await kv.list()),
        await kv.get(5),
        await kv.get("null"),
        await kv.get(undefined),
      ];
    },
  },
  {
    name: "what is missing is null, by every type",
    run: async (kv) => {
      const types = [
        undefined,
        null,
        "text",
        "json",
        "arrayBuffer",
        "stream",
        "xml",
        {},
        { type: "json" },
        { type: undefined },
      ];
      return [
        await each(types, (type) => kv.get("none", type)),
        await each(["text", "json", "stream"], async (type) =>
          told(await kv.getWithMetadata("none", type)),
        ),
      ];
    },
  },
  {
    name: "texts, as every type",
    run: async (kv) => {
      await kv.put("text", '{"a":[1,"é"]}');
      await kv.put("empty", "");
      const stream = (await kv.get("text", { type: "stream" })) as ReadableStream;
      return [
        await kv.get("text"),
        await kv.get("text", "json"),
        await read(kv, "text"),
        await new Response(stream).text(),
        await kv.get("text", null),
        await kv.get("text", {}),
        await kv.get("text", { type: "json", cacheTtl: 60 }),
        await each(["text", "json"], (type) => kv.get("empty", type)).then((all) => all[0]),
        await read(kv, "empty"),
        await ended(() => kv.get("text", "xml")),
        await ended(() => kv.getWithMetadata("text", "xml")),
        await ended(() => kv.get("text", "constructor")),
      ];
    },
  },
  {
    name: "what is no JSON is a SyntaxError, and stored null is null",
    run: async (kv) => {
      await kv.put("no", "{");
      await kv.put("empty", "");
      await kv.put("null", "null");
      const errors = (await each(["no", "empty"], (key) => kv.get(key, "json"))) as {
        error: string;
      }[];
      return [
        errors.map(({ error }) => error),
        await kv.get("null", "json"),
        told(await kv.getWithMetadata("null", "json")),
        [...((await kv.getWithMetadata(["null"], "json")) as Map<string, unknown>)],
      ];
    },
  },
  {
    name: "bytes, as every type: views alone, what is no UTF-8, a mark at the start",
    run: async (kv) => {
      const all = bytes(1, 2, 0xff, 0x41, 5);
      await kv.put("buffer", all.buffer);
      await kv.put("view", all.subarray(2, 4));
      await kv.put("data", new DataView(all.buffer, 1, 2));
      await kv.put("shorts", new Uint16Array([0x4241]));
      await kv.put("bom", bytes(0xef, 0xbb, 0xbf, 0x41));
      await kv.put("none", bytes());
      await kv.put("text bom", "\ufeffA");
      const keys = ["buffer", "view", "data", "shorts", "bom", "none", "text bom"];
      return [
        await each(keys, (key) => read(kv, key)),
        await each(keys, (key) => kv.get(key)),
        await kv.get("shorts", "text"),
        Object.prototype.toString.call(await kv.get("view", "arrayBuffer")),
      ];
    },
  },
  {
    name: "streams",
    run: async (kv) => {
      await kv.put("two", streamOf(bytes(1, 2), bytes(3)));
      await kv.put("none", streamOf());
      await kv.put("texts", streamOf("é", bytes(0x41)));
      const stream = (await kv.get("two", "stream")) as ReadableStream;
      return [
        await read(kv, "two"),
        await read(kv, "none"),
        await read(kv, "texts"),
        [...new Uint8Array(await new Response(stream).arrayBuffer())],
      ];
    },
  },
  {
    name: "a stream that is locked, or fails half-way",
    run: async (kv) => {
      await kv.put("a", "before");
      const locked = streamOf(bytes(1));
      locked.getReader();
      const refused = [await ended(() => kv.put("a", locked)), await kv.get("a")];
      let count = 0;
      const failing = new ReadableStream({
        pull(controller) {
          if (count++ < 2) controller.enqueue(bytes(1, 2, 3));
          else controller.error(new RangeError("broken"));
        },
      });
      // What is stored then depends on how far the simulation has come: here, nothing.
      return [refused, await ended(() => kv.put("b", failing))];
    },
  },
  {
    name: "what is neither text nor bytes",
    run: async (kv) => {
      const texts = await each([5, true, null, undefined, 5n, -0, NaN], async (value) => {
        await kv.put("a", value);
        return kv.get("a");
      });
      const objects = [
        {},
        [],
        [1],
        new Date(0),
        new String("x"),
        new Blob(["x"]),
        new Response("x"),
        new URLSearchParams("a=1"),
        () => 1,
        new Map(),
      ];
      return [
        texts,
        await each(objects, (value) => kv.put("b", value)),
        ((await ended(() => kv.put("b", Symbol("x")))) as { error: string }).error,
        await kv.get("b"),
      ];
    },
  },
  {
    name: "values of 25 MiB and no more",
    async run(kv) {
      await kv.put("a", new Uint8Array(LIMIT).fill(0x61));
      const kept = ((await kv.get("a", "arrayBuffer")) as ArrayBuffer).byteLength;
      await kv.put("a", "before");
      const large = new Uint8Array(LIMIT + 1);
      return [
        kept,
        await ended(() => kv.put("a", large)),
        await ended(() => kv.put("a", "é".repeat(LIMIT / 2 + 1))),
        await ended(() => kv.put("a", streamOf(large))),
        await kv.get("a"),
      ];
    },
  },
  {
    name: "metadata is any JSON but null, and replaced by each put",
    run: async (kv) => {
      const all = [
        { a: 1 },
        "text",
        0,
        false,
        "",
        [],
        {},
        { ["__proto__"]: 1, n: null },
        new Date(0),
        { a: undefined },
      ];
      const seen = await each(all, async (metadata) => {
        await kv.put("a", "v", { metadata });
        return [told(await kv.getWithMetadata("a")), (await kv.list()).keys];
      });
      await kv.put("a", "v", { metadata: { a: 1 } });
      await kv.put("a", "w");
      const none = await each([null, undefined], async (metadata) => {
        await kv.put("a", "v", { metadata });
        return [told(await kv.getWithMetadata("a")), (await kv.list()).keys];
      });
      return [seen, none, told(await kv.getWithMetadata("a", "text"))];
    },
  },
  {
    name: "metadata of 1,024 bytes and no more, and none that JSON has not",
    run: async (kv) => {
      await kv.put("a", "before");
      const cycle: { self?: unknown } = {};
      cycle.self = cycle;
      const fine = await ended(() => kv.put("b", "v", { metadata: "é".repeat(511) }));
      const refused = (await each([cycle, { a: 1n }], (metadata) =>
        kv.put("a", "v", { metadata }),
      )) as { error: string }[];
      return [
        fine,
        await each(["x".repeat(1023), "é".repeat(512)], (metadata) =>
          kv.put("a", "v", { metadata }),
        ),
        refused.map(({ error }) => error),
        await kv.get("a"),
      ];
    },
  },
  {
    name: "deadlines: what is refused",
    async run(kv) {
      await kv.put("a", "before");
      const now = Math.floor(Date.now() / 1000);
      const ttls = await each(
        [0, -1, 59, 59.9, NaN, null, Infinity, "x", 2 ** 31, -(2 ** 31) - 1, Date.now()],
        (expirationTtl) => kv.put("a", "v", { expirationTtl }),
      );
      const past = await each([0, -5, 1, NaN, null, 2 ** 31, Date.now()], (expiration) =>
        kv.put("a", "v", { expiration }),
      );
      const soon = (await ended(() => kv.put("a", "v", { expiration: now + 30 }))) as {
        message: string;
      };
      return [
        ttls,
        past,
        { ...soon, message: soon.message.replace(/\d{10}/, "…") },
        await kv.get("a"),
      ];
    },
  },
  {
    name: "deadlines: what is kept",
    async run(kv) {
      const now = Math.floor(Date.now() / 1000);
      const all = [
        { expirationTtl: 60 },
        { expirationTtl: 60.9 },
        { expirationTtl: "120" },
        { expiration: now + 500 },
        { expiration: `${now + 500}` },
        { expiration: now + 500, expirationTtl: 1000 },
        { expirationTtl: undefined },
      ];
      const seen = await each(all, async (options) => {
        await kv.put("a", "v", options);
        const [key] = (await kv.list()).keys;
        return distance(key!.expiration, "expiration" in key! ? now : 0);
      });
      await kv.put("a", "v", { expirationTtl: 100 });
      await kv.put("a", "v");
      return [seen, (await kv.list()).keys];
    },
  },
  {
    name: "options that are none, and what is refused first",
    async run(kv) {
      await kv.put("a", "before");
      const bare = [60, "60", true].flatMap((options) => [
        (): Promise<unknown> => kv.put("a", "v", options),
        (): Promise<unknown> => kv.list(options),
        (): Promise<unknown> => kv.get("a", options),
      ]);
      const metadata = "x".repeat(2000);
      const values = [{}, "v", new Uint8Array(LIMIT + 1)];
      return [
        await each(bare, (work) => work()),
        await each(values, (value) => kv.put("", value, { expirationTtl: 5, metadata })),
        await each(values, (value) => kv.put("a", value, { expirationTtl: 5, metadata })),
        await each(values, (value) => kv.put("a", value, { metadata })),
        ((await ended(() => kv.put("a", "v", { expirationTtl: 60n }))) as { error: string }).error,
        await kv.get("a"),
      ];
    },
  },
  {
    name: "options of other names are ignored",
    run: async (kv) => {
      const seen = [
        await ended(() => kv.put("a", "v", { ttl: 5, expires: "1h", colour: "red" })),
        await kv.get("a", { colour: "red" }),
        await kv.get("a", { as: "json" }),
      ];
      const bulk = (await kv.get(["a"], { colour: "red" })) as Map<string, unknown>;
      return [seen, [...bulk], (await kv.list({ count: 1, prefx: "b" })).keys];
    },
  },
  {
    name: "delete, once and twice",
    run: async (kv) => {
      await kv.put("a", "v", { metadata: 1 });
      return [
        await each(["a", "a", "none"], (key) => kv.delete(key)),
        await kv.get("a"),
        names(await kv.list()),
      ];
    },
  },
  {
    name: "prefixes are literal",
    run: async (kv) => {
      for (const key of ["a", "a:1", "A:1", "a_1", "axb", "a%b", "b", "*", "é1", "[a]"])
        await kv.put(key, key);
      const prefixes = [
        "a",
        "a:",
        "A",
        "a_",
        "a%",
        "*",
        "é",
        "[",
        "none",
        "",
        null,
        undefined,
        ".",
      ];
      return each(prefixes, async (prefix) => names(await kv.list({ prefix })));
    },
  },
  {
    name: "limits of a listing",
    run: async (kv) => {
      for (const key of ["a", "b", "c"]) await kv.put(key, key);
      const some = await each(
        [1, 1.9, "2", 3, 1000, 0, -1, NaN, null, undefined],
        async (limit) => {
          const { cursor, ...page } = await kv.list({ limit });
          return { ...page, goesOn: cursor !== undefined };
        },
      );
      return [
        some,
        await each([1001, 1e6], (limit) => kv.list({ limit })),
        Object.keys(await kv.list()).sort(),
        await ended(() => kv.list({ prefix: "x".repeat(513) })),
        (await kv.list({ prefix: "x".repeat(512) })).list_complete,
      ];
    },
  },
  {
    name: "pages: whatever is written meanwhile, also where the cursor stands",
    async run(kv) {
      for (const key of ["b", "d", "f", "h", "j"]) await kv.put(key, key, { metadata: key });
      const first = await kv.list({ limit: 2 });
      await kv.delete("d");
      await kv.put("a", "a");
      await kv.put("e", "e");
      const second = await kv.list({ limit: 2, cursor: first.cursor });
      await kv.delete("h");
      const third = await kv.list({ limit: 1000, cursor: second.cursor });
      return [names(first), second.keys, names(third), third.list_complete, "cursor" in third];
    },
  },
  {
    name: "cursors are places, also of other listings, or none",
    run: async (kv) => {
      for (const key of ["a1", "a2", "b1", "b2", "c"]) await kv.put(key, key);
      const { cursor } = await kv.list({ limit: 3 });
      const within = (await kv.list({ prefix: "b", limit: 1 })).cursor;
      const cursors = [
        { cursor, prefix: "a" },
        { cursor, prefix: "b" },
        { cursor, prefix: "c" },
        { cursor: within },
        { cursor: "" },
        { cursor: null },
        { cursor: "!!" },
        { cursor: "garbage" },
        { cursor: "YQ" },
        { cursor: "YjE=" },
        { cursor: "Yz" },
        { cursor: "x" },
      ];
      return each(cursors, async (options) => names(await kv.list(options)));
    },
  },
  {
    name: "many at once",
    run: async (kv) => {
      for (const key of ["b", "a", "c"])
        await kv.put(key, JSON.stringify({ key }), { metadata: key === "c" ? undefined : 0 });
      for (const [key, value] of [
        ["empty", ""],
        ["zero", "0"],
        ["false", "false"],
      ] as const)
        await kv.put(key, value);
      const pairs = async (keys: unknown, type?: unknown): Promise<unknown> => [
        ...((await kv.get(keys, type)) as Map<string, unknown>),
      ];
      const found = (await kv.getWithMetadata(["b", "none", "c", "b"])) as Map<string, unknown>;
      return [
        await pairs(["b", "none", "a", "b"]),
        await pairs(["c", "a", "zero", "false"], "json"),
        await pairs(["empty", "zero"], { type: "text", cacheTtl: 60 }),
        [...found],
        [...((await kv.getWithMetadata(["c"], "json")) as Map<string, unknown>)],
        await ended(() => kv.get(["a", "empty"], "json")),
        await each(["arrayBuffer", "stream", "xml", { type: "stream" }], (type) =>
          kv.get(["a"], type),
        ),
        await ended(() => kv.get([])),
        await ended(() => kv.get(Array.from({ length: 101 }, (_, i) => `k${i}`))),
        ((await kv.get(Array.from({ length: 100 }, (_, i) => `k${i}`))) as Map<string, unknown>)
          .size,
        await ended(() => kv.get(["a", ""])),
      ];
    },
  },
  {
    name: "many at once with metadata of every kind, and with a deadline",
    async run(kv) {
      const expiration = inAnHour();
      await kv.put("object", "v", { expiration, metadata: { testing: true } });
      await kv.put("number", "v", { expiration, metadata: 123 });
      await kv.put("string", "v", { expiration, metadata: "example" });
      await kv.put("none", "v", { expiration });
      const keys = ["object", "number", "string", "none", "missing"];
      return [...((await kv.getWithMetadata(keys)) as Map<string, unknown>)];
    },
  },
  {
    name: "many at once are 25 MiB at most",
    async run(kv) {
      const large = "x".repeat(9 * MIB);
      for (const key of ["a", "b", "c"]) await kv.put(key, large);
      return [
        await ended(() => kv.get(["a", "b", "c"])),
        ((await kv.get(["a", "b"])) as Map<string, string>).get("b")!.length,
      ];
    },
  },
  {
    name: "a cacheTtl is 30 seconds at least",
    run: async (kv) => {
      await kv.put("a", "v");
      return [
        await each([30, 3600, undefined, 10, 29.9, 0, NaN, -1], (cacheTtl) =>
          kv.get("a", { cacheTtl }),
        ),
        await ended(() => kv.get("none", { cacheTtl: 5 })),
        await ended(() => kv.get(["a"], { cacheTtl: 5 })),
      ];
    },
  },
  {
    name: "a put replaces value, deadline and metadata together",
    run: async (kv) => {
      await kv.put("a", "1", { expiration: inAnHour(), metadata: { by: "ann" } });
      await kv.put("a", "2", { metadata: { by: "bob" } });
      const one = (await kv.list()).keys;
      await kv.put("a", "3", { expirationTtl: 3600 });
      const [two] = (await kv.list()).keys;
      return [one, Object.keys(two!).sort(), told(await kv.getWithMetadata("a"))];
    },
  },
];

/** Where the two differ on purpose, as the documentation says: what is seen of either. */
export const NAMESPACE_DIFFERENCES: readonly (NamespaceCase & {
  readonly theirs: unknown;
  readonly ours: unknown;
})[] = [
  {
    name: "a lone surrogate in a value",
    run: async (kv) => {
      await kv.put("a", "x\ud800y");
      return read(kv, "a");
    },
    theirs: [0x78, 0xed, 0xa0, 0x80, 0x79],
    ours: [0x78, 0xef, 0xbf, 0xbd, 0x79],
  },
  {
    name: "keys that look like numbers, many at once",
    run: async (kv) => {
      await kv.put("2", "two");
      return [...((await kv.get(["2", "1", "x"])) as Map<string, unknown>)];
    },
    theirs: [["x", null]],
    ours: [
      ["2", "two"],
      ["1", null],
      ["x", null],
    ],
  },
  {
    name: "the deadline beside the metadata",
    run: async (kv) => {
      await kv.put("a", "v", { expirationTtl: 60 });
      return Object.keys((await kv.getWithMetadata("a")) as object).sort();
    },
    theirs: ["cacheStatus", "metadata", "value"],
    ours: ["cacheStatus", "expiration", "metadata", "value"],
  },
  {
    name: "methods that were taken off",
    run: async ({ get }) =>
      ((await ended(async () => get("a"))) as { error?: string }).error ?? null,
    theirs: "TypeError",
    ours: null,
  },
];
