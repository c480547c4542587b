import { inspect } from "node:util";
import { afterEach, beforeEach, expect, it } from "vitest";
import kv, { isKvError, KvError } from "../src/index.ts";

const unhandled: unknown[] = [];
const note = (reason: unknown): void => void unhandled.push(reason);
beforeEach(() => {
  unhandled.length = 0;
  process.on("unhandledRejection", note);
});
afterEach(async () => {
  await new Promise((resolve) => setImmediate(resolve));
  process.off("unhandledRejection", note);
  expect(unhandled).toEqual([]);
});

const thrown = (work: () => unknown): unknown => {
  try {
    work();
  } catch (error) {
    return error;
  }
  return undefined;
};

it("refuses a class that needs arguments, and takes Map itself for memory", () => {
  class Needy {
    constructor(options: { url: string }) {
      options.url.trim();
    }
    get(): void {}
    set(): void {}
  }
  expect(thrown(() => kv(Needy as never))).toMatchObject({
    code: "KV_INVALID_CLIENT",
    client: "CUSTOM",
  });
  expect(kv(Map).type).toBe("MEMORY");
});

it("knows type and capabilities at once, and of a promise once it is settled", async () => {
  expect(kv().type).toBe("MEMORY");
  expect(kv(new Map()).supports).toEqual({
    expires: "layered",
    order: true,
    atomic: "process",
    keyBytes: Infinity,
    valueBytes: Infinity,
    persistent: false,
    iterate: true,
    bytes: true,
    watch: "native",
  });
  const store = kv(Promise.resolve(new Map()));
  expect(store.type).toBe("PENDING");
  await store.set("a", 1);
  expect(store.type).toBe("MEMORY");
  expect(store.supports.atomic).toBe("process");
  expect(Object.isFrozen(store.supports)).toBe(true);
});

it("awaits a promise of a client, without a warning", async () => {
  const map = new Map();
  const store = kv(new Promise((resolve) => setImmediate(resolve, map)));
  const writes = Array.from({ length: 5 }, (_, i) => store.set(`k${i}`, i));
  expect(await Promise.all(writes)).toEqual(["k0", "k1", "k2", "k3", "k4"]);
  expect(map.size).toBe(5);
});

it("rejects every operation when the promise rejects, and nothing goes unhandled", async () => {
  const cause = new Error("refused");
  const store = kv(Promise.reject(cause));
  await new Promise((resolve) => setImmediate(resolve));
  for (const call of [
    () => store.get("a"),
    () => store.set("a", 1),
    () => store.keys(),
    () => store.prefix("p").list(),
    () => store.iterate().next(),
  ]) {
    await expect(call()).rejects.toMatchObject({ code: "KV_CONNECTION", cause });
  }
  await store.close();
  await expect(store.get("a")).rejects.toMatchObject({ code: "KV_CLOSED" });
});

it("rejects when the promise turns out to be no client", async () => {
  await expect(kv(Promise.resolve(42) as never).get("a")).rejects.toMatchObject({
    code: "KV_UNKNOWN_CLIENT",
  });
});

it("goes on with a client that could not be opened at first", async () => {
  let attempts = 0;
  const client = {
    get: () => null,
    set() {},
    get EXPIRES() {
      if (++attempts === 2) throw new Error("not yet");
      return true;
    },
  };
  const store = kv(client);
  await expect(store.get("a")).rejects.toMatchObject({ code: "KV_CONNECTION" });
  expect(await store.get("a")).toBe(null);
});

it("keeps the prefix, the expiry and the connection of a store that it is given", async () => {
  const map = new Map();
  const store = kv(kv(kv(map, { prefix: "a:", expires: "1h" })), { prefix: "b:" });
  await store.set("k", 1);
  expect([...map.keys()]).toEqual(["a:b:k"]);
  expect((await store.entry("k"))!.expires).toBeGreaterThan(Date.now());
  expect(
    (await kv(store, { expires: null })
      .set("k", 1)
      .then(() => store.entry("k")))!.expires,
  ).toBe(null);
  await kv(store).close();
  await expect(store.get("k")).rejects.toMatchObject({ code: "KV_CLOSED" });
});

it("refuses options that cannot be meant, at once", () => {
  expect(thrown(() => kv(new Map(), { expires: "soon" as string }))).toMatchObject({
    code: "KV_INVALID_EXPIRES",
  });
  expect(thrown(() => kv(new Map(), { prefix: "\ud800" }))).toMatchObject({
    code: "KV_INVALID_KEY",
  });
  expect(thrown(() => kv().prefix(5 as never))).toMatchObject({ code: "KV_INVALID_KEY" });
  expect(thrown(() => kv().expires("5 potatoes" as string))).toMatchObject({
    code: "KV_INVALID_EXPIRES",
  });
});

it("is shown in one line, with its type and its prefix", async () => {
  const store = kv(new Map(), { prefix: "app:", expires: "1h" });
  expect(inspect(store)).toBe('Store(MEMORY, "app:")');
  expect(inspect({ a: [kv().prefix('"')] })).toBe(String.raw`{ a: [ Store(MEMORY, "\"") ] }`);
  expect(String(store)).toBe("[object Store]");
  const pending = kv(Promise.resolve(new Map()));
  expect(inspect(pending)).toBe('Store(PENDING, "")');
  await pending.get("a");
  expect(inspect(pending)).toBe('Store(MEMORY, "")');
});

it("shows its prefix and its default expiry", () => {
  const store = kv(kv(new Map(), { prefix: "app:" }), { expires: "1h" });
  expect(store.options).toEqual({ prefix: "app:", expires: "1h" });
  expect(store.prefix("user:").expires(null).options).toEqual({
    prefix: "app:user:",
    expires: null,
  });
  expect(kv().options).toEqual({ prefix: "", expires: null });
  expect(Object.isFrozen(store.options)).toBe(true);
});

it("rejects a store in place of the options", () => {
  expect(() => kv(new Map(), kv() as never)).toThrow("the options of kv() are an object");
});

it("rejects a codec without encode() and decode(), at once", () => {
  for (const codec of [JSON, {}, null, "rich", { encode: String }]) {
    const text = "codec needs the functions encode(value) and decode(json)";
    expect(() => kv(new Map(), { codec: codec as never })).toThrow(text);
  }
});

it("takes a default expiry of 0 at its word", async () => {
  const store = kv(new Map(), { expires: 0 });
  await store.set("a", 1);
  expect(await store.has("a")).toBe(false);
});

it("applies a codec to values in every method, and says when it fails", async () => {
  const codec = {
    encode: (value: unknown) => ({ date: (value as Date).toISOString() }),
    decode: (json: unknown) => new Date((json as { date: string }).date),
  };
  const map = new Map();
  const store = kv<Date>(map, { codec });
  const date = new Date(5);
  await store.set("a", date);
  expect(await store.get("a")).toEqual(date);
  expect(await store.getMany(["a"])).toEqual([date]);
  expect(await store.entries()).toEqual([["a", date]]);
  expect(await store.values()).toEqual([date]);
  expect((await store.entry("a"))!.value).toEqual(date);
  expect((await store.list()).entries[0]!.value).toEqual(date);
  for await (const [, value] of store.prefix("")) expect(value).toEqual(date);
  await expect(store.set("b", new Date(NaN))).rejects.toMatchObject({
    code: "KV_INVALID_VALUE",
    cause: expect.any(RangeError),
  });
  await kv(map).set("c", null);
  await kv(map).set("c", "no date");
  await kv(map, {
    codec: {
      encode: String,
      decode: () => {
        throw new Error("no");
      },
    },
  })
    .get("c")
    .then(
      () => expect.unreachable(),
      (error: unknown) =>
        expect(error).toMatchObject({ code: "KV_CORRUPT", key: "c", client: "MEMORY" }),
    );
});

it("tells its errors from others, across bundles", () => {
  const error = new KvError("KV_CLOSED", "closed", { client: "X", key: "k" });
  expect(isKvError(error)).toBe(true);
  expect(isKvError(error, "KV_CLOSED")).toBe(true);
  expect(isKvError(error, "KV_QUOTA")).toBe(false);
  expect(isKvError({ name: "KvError", code: "KV_QUOTA", message: "" }, "KV_QUOTA")).toBe(true);
  for (const other of [
    null,
    undefined,
    "KvError",
    new Error("KvError"),
    { name: "KvError" },
    { code: "KV_QUOTA" },
  ])
    expect(isKvError(other)).toBe(false);
  expect("cause" in error).toBe(false);
  expect(new KvError("KV_QUOTA", "full", { cause: undefined })).toHaveProperty("cause", undefined);
});

it("uses all 62 characters for keys, evenly", async () => {
  const counts = new Map<string, number>();
  const store = kv();
  for (let i = 0; i < 2000; i++)
    for (const char of await store.add(i)) counts.set(char, (counts.get(char) ?? 0) + 1);
  expect(counts.size).toBe(62);
  const mean = (2000 * 24) / 62;
  // Five standard deviations: fails once in a million runs when the draw is even, always when a
  // character is twice as likely.
  for (const count of counts.values())
    expect(Math.abs(count - mean)).toBeLessThan(5.5 * Math.sqrt(mean));
});

it('never takes a mistake for "never"', async () => {
  const store = kv();
  await store.set("a", 1, { expires: "1h" });
  for (const options of [60, "1h", true, null, new Date()])
    await expect(store.set("a", 2, options as never)).rejects.toMatchObject({
      code: "KV_INVALID_EXPIRES",
      key: "a",
    });
  await expect(store.touch("a", undefined as never)).rejects.toMatchObject({
    code: "KV_INVALID_EXPIRES",
    key: "a",
  });
  expect(await store.get("a")).toBe(1);
  expect((await store.entry("a"))!.expires).not.toBe(null);
});

it("rejects options that are no object, except for the index that map() passes", async () => {
  for (const wrong of ["users:", null, true, new Date()]) {
    expect(() => kv(new Map(), wrong as never)).toThrow(
      expect.objectContaining({
        code: "KV_INVALID_VALUE",
        message: expect.stringContaining("object") as string,
      }) as Error,
    );
    await expect(kv().list(wrong as never)).rejects.toMatchObject({
      code: "KV_INVALID_VALUE",
      client: "MEMORY",
    });
  }
  await expect(kv().list(10 as never)).rejects.toMatchObject({ code: "KV_INVALID_VALUE" });
  expect([new Map(), new Map()].map(kv as never)).toHaveLength(2);
});

it("rejects unknown options, and writes nothing", async () => {
  const store = kv();
  const hint = /^ttl is not an option of (kv\(\)|a write): did you mean expires\?$/;
  expect(() => kv(new Map(), { ttl: 60 } as never)).toThrow(hint);
  expect(() => kv(store, { namespace: "a" } as never)).toThrow(
    "namespace is not an option of kv(): did you mean prefix?",
  );
  const options = { ttl: 60 } as never;
  const writes = [
    () => store.set("a", 1, options),
    () => store.set("a", null, options),
    () => store.add(1, options),
    () => store.setMany([["a", 1]], options),
    () => store.commit([], [{ key: "a", value: 1, ttl: 60 } as never]),
  ];
  for (const write of writes) {
    const rejection = {
      code: "KV_INVALID_VALUE",
      client: "MEMORY",
      message: expect.stringMatching(hint) as string,
    };
    await expect(write()).rejects.toMatchObject(rejection);
  }
  const text = "count is not an option of list(): did you mean limit?";
  await expect(store.list({ count: 1 } as never)).rejects.toMatchObject({
    code: "KV_INVALID_VALUE",
    message: text,
  });
  expect(await store.keys()).toEqual([]);
});

it("accepts undefined options, and whole entries as checks of a commit", async () => {
  const store = kv(new Map(), { prefix: undefined, expires: undefined, timeout: undefined });
  await store.set("a", 1, { expires: undefined, metadata: undefined, prefix: undefined });
  const { entries } = await store.list({
    prefix: undefined,
    limit: undefined,
    cursor: undefined,
    reverse: undefined,
  });
  expect(entries).toMatchObject([{ key: "a", value: 1 }]);
  expect(await store.commit(entries, [{ key: "a", value: 2 }])).toMatchObject({ ok: true });
});

it("writes many with options of their own, which go before the common ones", async () => {
  const store = kv(new Map(), { expires: "1d" });
  const now = Date.now();
  const keys = await store.setMany(
    [
      ["a", 1, { expires: "2h", metadata: "own" }],
      ["b", 2],
      ["c", 3, { expires: null }],
      ["d", 4, { expires: undefined, metadata: undefined }],
      ["e", 5, undefined],
      ["f", 6, { prefix: "q:" }],
      ["g", 7, { expires: 0 }],
    ],
    { expires: "1h", metadata: "common", prefix: "p:" },
  );
  expect(keys).toEqual(["a", "b", "c", "d", "e", "f", "g"]);
  const { entries } = await store.list();
  const seen = entries.map(({ key, expires, metadata }) => {
    const hours = expires === null ? null : Math.round((expires - now) / 3_600_000);
    return [key, hours, metadata];
  });
  expect(seen).toEqual([
    ["p:a", 2, "own"],
    ["p:b", 1, "common"],
    ["p:c", null, "common"],
    ["p:d", 1, "common"],
    ["p:e", 1, "common"],
    ["q:f", 1, "common"],
  ]);
  const wrong = {
    KV_INVALID_EXPIRES: [60, "1h", null, { expires: "soon" }],
    KV_INVALID_VALUE: [{ ttl: 60 }],
  };
  for (const [code, options] of Object.entries(wrong)) {
    for (const own of options) {
      await expect(
        store.setMany([
          ["x", 1],
          ["y", 2, own as never],
        ]),
      ).rejects.toMatchObject({ code });
    }
  }
  expect(await store.has("x")).toBe(false);
});

it("takes a text where a list belongs for a mistake", async () => {
  const store = kv();
  const calls: [() => Promise<unknown>, RegExp][] = [
    [() => store.getMany("abc"), /list of keys/],
    [() => store.delMany("abc"), /list of keys/],
    [() => store.getMany(undefined as never), /list of keys/],
    [() => store.setMany(["ab"] as never), /list of pairs/],
    [() => store.setMany({ a: 1 } as never), /list of pairs/],
    [() => store.commit(5 as never, []), /list of checks/],
    [() => store.commit([], { key: "a", value: 1 } as never), /list of writes/],
    [
      () => store.commit([{ key: "a" } as never], [{ key: "a", value: 1 }]),
      /checks \{ key, version \}/,
    ],
  ];
  for (const [call, message] of calls)
    await expect(call()).rejects.toMatchObject({
      code: "KV_INVALID_VALUE",
      client: "MEMORY",
      message: expect.stringMatching(message),
    });
  expect(await store.keys()).toEqual([]);
});

it("does not list everything where the options are no object", async () => {
  const store = kv();
  await store.setMany([
    ["user:ann", 1],
    ["team:x", 2],
  ]);
  for (const options of ["user:", 10, null])
    await expect(store.list(options as never)).rejects.toMatchObject({
      code: "KV_INVALID_VALUE",
      message: "the options of list() are an object: { prefix, limit, cursor, reverse, ordered }",
    });
});

it("tells a client that makes texts of records, before anything depends on it", async () => {
  const data = new Map<string, string>();
  const store = kv({
    get: (key: string) => data.get(key),
    set: (key: string, value: unknown) => void data.set(key, String(value)),
  });
  await expect(store.set("a", { b: 1 })).rejects.toMatchObject({
    code: "KV_INVALID_CLIENT",
    client: "CUSTOM",
  });
  const late = kv({ get: () => null, set() {} });
  expect(await late.set("a", 1)).toBe("a");
});
