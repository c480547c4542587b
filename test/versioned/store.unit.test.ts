import { spawn } from "node:child_process";
import path from "node:path";
import { MemoryLevel } from "memory-level";
import { describe, expect, it, vi } from "vitest";
import { rich } from "../../src/codec.ts";
import kv, { type Store } from "../../src/index.ts";
import { type Key, versioned } from "../../src/versioned/index.ts";

/** A client of one's own that keeps bare values without versions: nothing can be compared. */
const versionless = (): Store => {
  const data = new Map<string, unknown>();
  return kv({
    EXPIRES: true,
    get: (key: string) => data.get(key),
    set: (key: string, value: unknown) => void data.set(key, value),
    *iterate(prefix: string) {
      for (const [key, value] of data) if (key.startsWith(prefix)) yield [key, value];
    },
  });
};

async function keysOf(list: AsyncIterable<{ key: Key }>): Promise<unknown[]> {
  const keys: unknown[] = [];
  for await (const { key } of list) keys.push(key);
  return keys;
}

describe("versioned()", () => {
  it("is put over a store, and nothing else", () => {
    for (const wrong of [undefined, null, new Map(), {}, "text"])
      expect(() => versioned(wrong as never)).toThrow(
        expect.objectContaining({ code: "KV_INVALID_CLIENT" }) as Error,
      );
    expect(() => versioned(kv(), { valueBytes: NaN })).toThrow(
      expect.objectContaining({ code: "KV_INVALID_VALUE" }) as Error,
    );
  });

  it("rejects a value that is no object in place of options", async () => {
    const store = versioned(kv());
    for (const wrong of [10, "users", null] as never[]) {
      const calls = [
        () => versioned(kv(), wrong),
        () => store.list({ prefix: [] }, wrong),
        () => store.watch([["a"]], wrong),
      ];
      for (const call of calls)
        expect(call, `${call} ${wrong}`).toThrow(
          expect.objectContaining({ code: "KV_INVALID_VALUE" }) as Error,
        );
      await expect(store.reindex(wrong)).rejects.toMatchObject({ code: "KV_INVALID_VALUE" });
    }
  });

  it("refuses values whose JSON has more bytes than the limit", async () => {
    const store = versioned(kv(), { valueBytes: 16_384 });
    await store.set(["a"], "x".repeat(16_382));
    await store.set(["b"], "é".repeat(8191));
    await store.set(["c"], { a: "x".repeat(16_376) });
    for (const large of [
      "x".repeat(16_383),
      `${"é".repeat(8191)}x`,
      "\n".repeat(8192),
      { a: "x".repeat(16_377) },
      10n ** 16_384n,
    ]) {
      await expect(store.set(["a"], large)).rejects.toMatchObject({ code: "KV_TOO_LARGE" });
      expect(() => store.atomic().set(["a"], large)).toThrow(
        expect.objectContaining({ code: "KV_TOO_LARGE" }) as Error,
      );
    }
    expect((await store.get<string>(["a"])).value!.length).toBe(16_382);
    await versioned(kv()).set(["a"], "x".repeat(2_000_000));
  });

  it("keeps the values of a codec, beside null and counters", async () => {
    const store = versioned(kv(new Map(), { codec: rich }) as Store<never>, { valueBytes: 1000 });
    const value = { at: new Date(0), big: 1n, set: new Set([1]) };
    await store
      .atomic()
      .set(["rich"], value)
      .set(["null"], null)
      .set(["marked"], { "~": "null" })
      .sum(["n"], 2n)
      .commit();
    await store.atomic().sum(["n"], 3n).commit();
    expect(
      (await store.getMany([["rich"], ["null"], ["n"], ["marked"]])).map((entry) => entry.value),
    ).toStrictEqual([value, null, 5n, { "~": "null" }]);
    await expect(store.set(["a"], () => 1)).rejects.toMatchObject({ code: "KV_INVALID_VALUE" });
    await expect(store.set(["a"], new Set(["x".repeat(1000)]))).rejects.toMatchObject({
      code: "KV_TOO_LARGE",
    });
  });

  it("keeps to the prefix and the expiry of its store", async () => {
    const outer = kv();
    const [a, b] = [versioned(outer.prefix("a:").expires("1h")), versioned(outer.prefix("b:"))];
    for (let i = 0; i < 5; i++) await a.set(["k", i], i);
    await a.atomic().sum(["n"], 1n).set(["never"], 1, { expires: null }).commit();
    await b.set(["k", 0], "b");
    const first = a.list({ prefix: ["k"] }, { limit: 2 });
    expect(await keysOf(first)).toEqual([
      ["k", 0],
      ["k", 1],
    ]);
    expect(await keysOf(a.list({ prefix: ["k"] }, { cursor: first.cursor }))).toEqual([
      ["k", 2],
      ["k", 3],
      ["k", 4],
    ]);
    expect(await keysOf(a.list({ start: ["k", 1], end: ["k", 3] }, { reverse: true }))).toEqual([
      ["k", 2],
      ["k", 1],
    ]);
    expect(await keysOf(b.list({ prefix: [] }))).toEqual([["k", 0]]);
    expect((await outer.entry("a:n"))!.expires).not.toBe(null);
    expect((await outer.entry("a:never"))!.expires).toBe(null);
  });

  it("shares its data with the store underneath", async () => {
    const map = new Map<string, unknown>();
    const plain = kv(map);
    const store = versioned(plain);
    await store.set(["users", "1"], { name: "Ann" });
    expect(await plain.all()).toEqual({ "users 1": { name: "Ann" } });
    await plain.setMany([
      ["users 2", 2],
      ["no  key", 1],
      ["!", 1],
      ["users ~", 1],
      ["! x y", 1],
      ["marked", { "~": "bigint", value: "x" }],
      ["marked2", { "~": "else", n: 1 }],
    ]);
    map.set("users 3", "of somebody else");
    expect(await keysOf(store.list({ prefix: ["users"] }))).toEqual([
      ["users", "1"],
      ["users", "2"],
    ]);
    expect(await keysOf(store.list({ prefix: [] }, { limit: 9 }))).toEqual([
      ["marked"],
      ["marked2"],
      ["users", "1"],
      ["users", "2"],
    ]);
    expect(await keysOf(store.list({ start: ["users", "3"], end: ["v"] }))).toEqual([]);
    expect((await store.getMany([["marked"], ["marked2"]])).map(({ value }) => value)).toEqual([
      { "~": "bigint", value: "x" },
      { "~": "else", n: 1 },
    ]);
    await expect(store.get(["users", "3"])).rejects.toMatchObject({ code: "KV_FOREIGN" });
  });

  it("refuses a key whose text is too long for the client", async () => {
    const store = versioned(kv({ get: () => null, set() {} }));
    await store.get(["x".repeat(10_000)]);
    vi.stubGlobal("document", { cookie: "" });
    try {
      const cookie = versioned(kv("cookie"));
      for (const call of [
        () => cookie.get(["x".repeat(513)]),
        () => cookie.set(["x", new Uint8Array(400)], 1),
      ])
        await expect(call()).rejects.toMatchObject({ code: "KV_TOO_LARGE" });
    } finally {
      vi.unstubAllGlobals();
    }
  });

  it("lists an unordered client in one pass, an ordered one page by page", async () => {
    let passes = 0;
    const data = new Map<string, unknown>();
    const store = versioned(
      kv({
        get: (key: string) => data.get(key),
        set: (key: string, value: unknown) => void data.set(key, value),
        *iterate(prefix: string) {
          passes++;
          for (const [key, value] of data) if (key.startsWith(prefix)) yield [key, value];
        },
      }),
      { indexes: { all: { prefix: ["k"], of: () => 1 } } },
    );
    for (let i = 0; i < 60; i++) await store.set(["k", i], i);
    for (const options of [{}, { batchSize: 5 }, { limit: 7 }, { reverse: true, limit: 61 }]) {
      passes = 0;
      await keysOf(store.list({ prefix: [] }, options));
      expect(passes).toBe(1);
    }

    const db = new MemoryLevel<string, string>();
    const ordered = versioned(kv(db), { indexes: { all: { prefix: ["k"], of: () => 1 } } });
    for (let i = 0; i < 60; i++) await ordered.set(["k", i], i);
    const opened = vi.spyOn(db, "iterator");
    // What indexes keep stands before all keys: nobody walks over it.
    for (const [options, requests] of [
      [{ limit: 1 }, 1],
      [{ limit: 6, batchSize: 2 }, 3],
      [{ limit: 1, reverse: true }, 1],
      [{ batchSize: 1000 }, 1],
      [{ batchSize: 30, reverse: true }, 3],
    ] as const) {
      opened.mockClear();
      await keysOf(ordered.list({ prefix: [] }, options));
      expect(opened.mock.calls.length).toBeLessThanOrEqual(requests);
    }
  });

  it("over a client without compare-and-set reads and lists, and refuses to write", async () => {
    const plain = versionless();
    await plain.set("users 1", { name: "Ann" });
    const store = versioned(plain, {
      indexes: { name: { prefix: ["users"], of: ({ name }: { name: string }) => name } },
    });
    const entry = { key: ["users", "1"], value: { name: "Ann" }, version: "0".repeat(20) };
    expect(await store.get(["users", "1"])).toStrictEqual(entry);
    expect(await store.get(["users", "2"])).toStrictEqual({
      key: ["users", "2"],
      value: null,
      version: null,
    });
    expect(await keysOf(store.list({ prefix: ["users"] }))).toEqual([entry.key]);
    const calls = [
      () => store.set(["users", "1"], 1),
      () => store.set(["a"], 1),
      () => store.delete(["users", "1"]),
      () => store.delete(["nothing"]),
      () => store.reindex(),
      () => store.atomic().commit(),
      () => store.atomic().check(entry).set(["a"], 1).commit(),
      () => store.atomic().sum(["a"], 1n).commit(),
      () =>
        store
          .watch([["users", "1"]])
          .getReader()
          .read(),
    ];
    for (const call of calls)
      await expect(call()).rejects.toMatchObject({ code: "KV_NOT_SUPPORTED" });
    expect(await plain.all()).toEqual({ "users 1": { name: "Ann" } });
  });

  it("works over a promise of a client", async () => {
    const store = versioned(kv(Promise.resolve(new MemoryLevel())));
    expect(await keysOf(store.list({ prefix: [] }))).toEqual([]);
    await store.set(["a"], 1);
    expect(await keysOf(store.list({ prefix: [] }))).toEqual([["a"]]);
  });
});

describe("the index that is made by hand", () => {
  interface User {
    id: string;
    name: string;
    email: string;
  }
  const store = versioned(kv());

  async function saveUser(user: User): Promise<unknown> {
    const key = ["users", user.id];
    const r = await store.set(key, user);
    await store.set(["users_by_email", user.email], key);
    return r;
  }
  async function getByEmail(email: string): Promise<unknown> {
    const r1 = await store.get<string[]>(["users_by_email", email]);
    return store.get<User>(r1.value!);
  }

  it("works as it is written down", async () => {
    const user = { id: "1", name: "GhostZero", email: "example@example.com" };
    expect(await saveUser(user)).toMatchObject({ ok: true, key: ["users", "1"], value: user });
    expect(await getByEmail(user.email)).toMatchObject({ key: ["users", "1"], value: user });
    await expect(getByEmail("nobody@example.com")).rejects.toMatchObject({
      code: "KV_INVALID_KEY",
    });
  });
});

describe("watch()", () => {
  it("reports writes through the same connection, under any prefix", async () => {
    const plain = kv();
    const readers = [versioned(plain), versioned(kv(plain)), versioned(plain.prefix("p "))].map(
      (store, i) => store.watch([i === 2 ? ["a"] : ["p", "a"]], { interval: "10m" }).getReader(),
    );
    for (const reader of readers) expect((await reader.read()).value![0]!.version).toBe(null);
    for (const [value, write] of [
      () => versioned(plain).set(["p", "a"], 0),
      () => versioned(plain.prefix("p ")).set(["a"], 1),
      () => versioned(kv(plain)).delete(["p", "a"]),
    ].entries()) {
      const pending = readers.map((reader) => reader.read());
      await write();
      for (const each of pending) expect((await each).value![0]!.value).toBe([0, 1, null][value]);
    }
    await Promise.all(readers.map((reader) => reader.cancel()));
  });

  it("finds writes through the store underneath within its interval", async () => {
    const plain = kv();
    const reader = versioned(plain)
      .watch([["a"]], { interval: "5ms" })
      .getReader();
    await reader.read();
    const pending = reader.read();
    await plain.set("a", 1);
    expect((await pending).value![0]!.value).toBe(1);
    await reader.cancel();
  });

  it("polls not at all without a reader, and once an interval with one", async () => {
    vi.useFakeTimers();
    try {
      let reads = 0;
      const store = versioned(kv({ get: () => (reads++, null), set() {} }));
      const reader = store.watch([["a"], ["b"]]).getReader();
      await vi.advanceTimersByTimeAsync(10_000);
      expect(reads).toBe(0);
      await reader.read();
      await vi.advanceTimersByTimeAsync(10_000);
      expect(reads).toBe(4);
      const pending = reader.read();
      await vi.advanceTimersByTimeAsync(3500);
      expect(reads).toBe(4 + 4 * 2);
      await reader.cancel();
      expect((await pending).done).toBe(true);
      await vi.advanceTimersByTimeAsync(10_000);
      expect([reads, vi.getTimerCount()]).toEqual([12, 0]);
    } finally {
      vi.useRealTimers();
    }
  });

  it("fails with the error of the read", async () => {
    let isDown = false;
    const store = versioned(
      kv(
        { get: () => (isDown ? Promise.reject(new Error("down")) : null), set() {} },
        { timeout: "100ms" },
      ),
    );
    const reader = store.watch([["a"]], { interval: "1ms" }).getReader();
    await reader.read();
    isDown = true;
    await expect(reader.read()).rejects.toMatchObject({ code: "KV_CONNECTION" });
    await expect(reader.closed).rejects.toMatchObject({ code: "KV_CONNECTION" });
  });

  it("keeps no program alive", async () => {
    const source = (name: string): string =>
      JSON.stringify(path.join(import.meta.dirname, "../../src", name));
    const program = `
      import kv from ${source("index.ts")};
      import { versioned } from ${source("versioned/index.ts")};
      const store = versioned(kv());
      const reader = store.watch([["a"]]).getReader();
      await store.set(["a"], 1);
      console.log((await reader.read()).value[0].value);
      reader.read().then(() => console.log("unexpected"));
    `;
    const child = spawn(process.execPath, [
      "--disable-warning=ExperimentalWarning",
      "--input-type=module-typescript",
      "--eval",
      program,
    ]);
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
    expect([await new Promise((resolve) => child.on("close", resolve)), output]).toEqual([
      0,
      "1\n",
    ]);
  });
});
