import { openKv } from "@deno/kv";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { deno, type DenoKv } from "../../../src/clients/deno/index.ts";
import kv, { type Store } from "../../../src/index.ts";
import { runDeno, writeDenoProgram } from "../../support/deno.ts";
import { temporaryFolder } from "../../support/folders.ts";
import { PATIENT } from "../../support/patient.ts";

type Database = Awaited<ReturnType<typeof openKv>>;

let db: Database;
let store: Store;

const keysOf = async (selector = { prefix: [] as string[] }): Promise<unknown[]> => {
  const found: unknown[] = [];
  for await (const { key } of db.list(selector)) found.push(key);
  return found;
};

/** The database with a look at what its calls get. */
function watched(target: object, calls: [name: string, ...args: unknown[]][]): DenoKv {
  return new Proxy(target, {
    get(object, name: string) {
      const member = object[name as never] as unknown;
      if (typeof member !== "function") return member;
      return (...args: unknown[]) => {
        calls.push([name, ...args]);
        const result = (member as (...args: unknown[]) => object).apply(object, args);
        return name === "atomic" ? watched(result, calls) : result;
      };
    },
  }) as DenoKv;
}

beforeEach(async () => {
  db = await openKv(":memory:");
  store = kv(db, PATIENT);
});
afterEach(() => store.close());

describe("DENO", () => {
  it("gives Deno the deadline too, some seconds later, and none where there is none", async () => {
    const calls: [string, ...unknown[]][] = [];
    const other = kv(deno(watched(db, calls)));
    await other.set("a", 1, { expires: "1h" });
    await other.set("b", 1);
    await other.set("c", 1, { expires: new Date("9999-12-31") });
    await other.set("d", 1, { expires: 0.001 });
    const options = calls
      .filter(([name]) => name === "set")
      .map((call) => (call[3] as { expireIn?: number } | undefined)?.expireIn);
    expect(options).toEqual([expect.any(Number), undefined, 2.5e14, expect.any(Number)]);
    expect(options[0]).toBeGreaterThan(3_600_000);
    expect(options[0]).toBeLessThanOrEqual(3_610_000);
    expect(options[3]).toBeGreaterThanOrEqual(1);
    expect(options[3]).toBeLessThanOrEqual(10_001);
  });

  it("keeps the documented bytes, and its versions are versionstamps", async () => {
    const { version: first } =
      (await store.set("a", { b: "é" }, { metadata: "m" }), (await store.entry("a"))!);
    const { value, versionstamp } = await db.get<Uint8Array>(["anykv", "a"]);
    expect(new TextDecoder().decode(value!)).toMatch(
      /^\{"kv":1,"version":"[0-9a-f]{20}","expires":null,"metadata":"m","value":\{"b":"é"\}\}$/,
    );
    expect(first).toBe(versionstamp);
    const result = await store.commit(
      [{ key: "a", version: first }],
      [
        { key: "a", value: 2 },
        { key: "b", value: 3 },
      ],
    );
    const written = await db.getMany([
      ["anykv", "a"],
      ["anykv", "b"],
    ]);
    expect(written.map((entry) => entry.versionstamp)).toEqual([
      result.ok && result.version,
      result.ok && result.version,
    ]);
    expect((await store.list()).entries.map(({ version }) => version)).toEqual([
      result.ok && result.version,
      result.ok && result.version,
    ]);
  });

  it("neither lists nor clears foreign keys, at any place", async () => {
    const theirs = [
      ["anykv"],
      ["anykv", "a", "b"],
      ["anykv", "m"],
      ["anykv", "z", 1],
      ["anykv", new Uint8Array([255])],
      ["anykv", -5n],
      ["anykv", 5n],
      ["anykv", 1],
      ["anykv", true],
      ["anykv2", "a"],
      ["a"],
    ];
    for (const key of theirs) await db.set(key, "canary");
    for (let i = 0; i < 30; i++) await db.set(["anykv", "a", `nested${i}`], i);
    await store.setMany([
      ["a", 1],
      ["b", 2],
      ["z", 3],
    ]);
    expect(await store.keys()).toEqual(["a", "b", "z"]);
    for (const limit of [1, 2, 5]) {
      for (const reverse of [false, true]) {
        const found: string[] = [];
        for (let cursor: string | null | undefined; cursor !== null;) {
          const page = await store.list({
            limit,
            reverse,
            ...(cursor !== undefined && { cursor }),
          });
          found.push(...page.entries.map(({ key }) => key));
          ({ cursor } = page);
        }
        expect(found).toEqual(reverse ? ["z", "b", "a"] : ["a", "b", "z"]);
      }
    }
    await expect(store.get("m")).rejects.toMatchObject({ code: "KV_FOREIGN" });
    await store.clear();
    expect(await store.keys()).toEqual([]);
    expect((await keysOf()).length).toBe(theirs.length + 30);
  });

  it("keeps stores apart by their prefixes", async () => {
    const mine = kv(deno(db, { prefix: ["app", 1n] }));
    const root = kv(deno(db, { prefix: [] }));
    await store.set("k", "default");
    await mine.set("k", "mine");
    await root.set("k", "root");
    expect([await store.get("k"), await mine.get("k"), await root.get("k")]).toEqual([
      "default",
      "mine",
      "root",
    ]);
    expect(await keysOf()).toEqual([["anykv", "k"], ["app", 1n, "k"], ["k"]]);
    await root.clear();
    await mine.clear();
    expect(await keysOf()).toEqual([["anykv", "k"]]);
    await expect(kv(deno(db, { prefix: ["x".repeat(999)] })).get("a")).rejects.toMatchObject({
      code: "KV_INVALID_CLIENT",
    });
    const long = kv(deno(db, { prefix: ["x".repeat(998)] }));
    await long.set("\0".repeat(512), 1);
    expect(await long.keys()).toEqual(["\0".repeat(512)]);
    await expect(long.set("\0".repeat(600), 1)).rejects.toMatchObject({ code: "KV_TOO_LARGE" });
  });

  it("reads ten keys a call, and writes as much as an atomic operation takes", async () => {
    const calls: [string, ...unknown[]][] = [];
    const other = kv(deno(watched(db, calls)));
    const count = (name: string): number => calls.filter(([called]) => called === name).length;
    const keys = Array.from({ length: 35 }, (_, i) => `k${i}`);
    await other.getMany(keys);
    expect(count("getMany")).toBe(4);
    await other.setMany(Array.from({ length: 2001 }, (_, i) => [`s${i}`, i]));
    expect(count("commit")).toBe(3);
    await other.setMany(Array.from({ length: 30 }, (_, i) => [`l${i}`, "x".repeat(60_000)]));
    expect(count("commit")).toBe(3 + 3);
    await other.setMany(
      Array.from({ length: 170 }, (_, i) => [
        `${String(i).padStart(3, "0")}${"\0".repeat(497)}`,
        i,
      ]),
    );
    expect(count("commit")).toBe(3 + 3 + 3);
    expect((await other.entries()).length).toBe(2001 + 30 + 170);
    await other.clear();
    expect(await keysOf()).toEqual([]);
  });

  it("refuses values that are too large, and writes nothing", async () => {
    await store.set("a", "before");
    const room = 65_536 - `{"kv":1,"version":"${"0".repeat(20)}","expires":null,"value":""}`.length;
    await store.set("fits", "x".repeat(room));
    await expect(store.set("a", "x".repeat(room + 1))).rejects.toMatchObject({
      code: "KV_TOO_LARGE",
      client: "DENO",
      key: "a",
    });
    await store.set("fits", "é".repeat(room >> 1));
    await expect(
      store.commit(
        [],
        [
          { key: "a", value: 1 },
          { key: "b", value: "x".repeat(room + 1) },
        ],
      ),
    ).rejects.toMatchObject({ code: "KV_TOO_LARGE", key: "b" });
    expect(await store.getMany(["a", "b"])).toEqual(["before", null]);
    const checks = Array.from({ length: 101 }, (_, i) => ({ key: `c${i}`, version: null }));
    const writes = Array.from({ length: 1001 }, (_, i) => ({ key: `w${i}`, value: i }));
    await expect(store.commit(checks, [])).rejects.toMatchObject({ code: "KV_TOO_LARGE" });
    await expect(store.commit([], writes)).rejects.toMatchObject({ code: "KV_TOO_LARGE" });
    // Deno itself takes a hundred.
    await expect(store.commit(checks.slice(0, 11), [])).rejects.toMatchObject({
      code: "KV_TOO_LARGE",
      cause: expect.anything(),
    });
    expect((await store.commit(checks.slice(0, 10), writes.slice(1))).ok).toBe(true);
    expect((await store.prefix("w").keys()).length).toBe(1000);
  });

  it("takes an expired record for absent, for one of many writers", async () => {
    await store.set("a", 1, { expires: 0.001 });
    const { versionstamp } = await db.get(["anykv", "a"]);
    while ((await store.entry("a")) !== null);
    await db.set(
      ["anykv", "b"],
      new TextEncoder().encode(`{"kv":1,"version":"${"0".repeat(20)}","expires":1,"value":1}`),
    );
    expect(versionstamp).not.toBe(null);
    const results = await Promise.all(
      Array.from({ length: 10 }, (_, i) =>
        store.commit([{ key: "b", version: null }], [{ key: "b", value: i }]),
      ),
    );
    expect(results.filter(({ ok }) => ok).length).toBe(1);
    expect(await store.get("b")).toBe(results.findIndex(({ ok }) => ok));
  });

  it("keeps the order of keys that Node's client cannot read back", async () => {
    const keys = [
      "a",
      "\ufefd",
      "\ufefe",
      "\ufefe\0",
      "\ufefe\u0001",
      "\ufefea",
      "\ufeff",
      "\ufeff\0",
      "\ufeffa",
      "\uff00",
      "\u{10ffff}",
    ];
    await store.setMany(keys.map((key) => [key, key]));
    expect((await store.list()).entries.map(({ key, value }) => [key, value])).toEqual(
      keys.map((key) => [key, key]),
    );
    expect(await store.prefix("\ufeff").keys()).toEqual(["\0", "a"]);
    expect(await store.prefix("\ufefe").keys()).toEqual(["\0", "\u0001", "a"]);
    expect(await store.prefix("\u{10ffff}").keys()).toEqual([]);
    expect((await store.list({ prefix: "\u{10ffff}", reverse: true })).entries.length).toBe(1);
  });

  it("takes a promise of a database, and tells when its owner has closed it", async () => {
    const opened = await openKv(":memory:");
    const other = kv(Promise.resolve(opened));
    await other.set("a", 1);
    opened.close();
    await expect(other.get("a")).rejects.toMatchObject({ code: "KV_CONNECTION", client: "DENO" });
    await other.close();
    await expect(other.get("a")).rejects.toMatchObject({ code: "KV_CLOSED" });
  });

  describe("across processes", () => {
    const folder = temporaryFolder();
    afterAll(() => folder.remove());

    it("loses no increment of two Denos and this process on one file", async () => {
      const [program, path] = [await writeDenoProgram(folder.path), `${folder.path}/shared`];
      const here = kv(openKv(path));
      await here.set("count", 0);
      const increment = async (): Promise<void> => {
        for (let done = 0; done < 200;) {
          const { value, version } = (await here.entry<number>("count"))!;
          if (
            (await here.commit([{ key: "count", version }], [{ key: "count", value: value + 1 }]))
              .ok
          )
            done++;
        }
      };
      await Promise.all([
        runDeno(folder.path, program, "increment", path),
        runDeno(folder.path, program, "increment", path),
        increment(),
      ]);
      expect(await here.get("count")).toBe(1200);
      await here.close();
    });
  });
});
