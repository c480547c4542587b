import { setImmediate as turn } from "node:timers/promises";
import { Level } from "level";
import { MemoryLevel } from "memory-level";
import { describe, expect, it, vi } from "vitest";
import { level, type LevelClient } from "../../../src/clients/level/index.ts";
import kv, { type KvError, type Store } from "../../../src/index.ts";
import { StoredRecord } from "../../../src/record/record.ts";
import { place } from "../../support/disk.ts";
import { formatVersion, timedStamp } from "../../../src/record/version.ts";

const onDisk = (): Level<string, unknown> => new Level(`${place()}/db`, { valueEncoding: "json" });
const UTF8 = { keyEncoding: "utf8", valueEncoding: "utf8" } as const;

/** A database that remembers what is asked of its iterators, and how many entries they hand out. */
function watched(): { db: MemoryLevel; ranges: unknown[]; read: number } {
  const db = new MemoryLevel();
  const seen = { db, ranges: [] as unknown[], read: 0 };
  const iterator = db.iterator.bind(db);
  db.iterator = ((options: object) => {
    seen.ranges.push(options);
    const real = iterator(options);
    const nextv = real.nextv.bind(real);
    real.nextv = async (size: number) => {
      const found = await nextv(size);
      seen.read += found.length;
      return found;
    };
    return real;
  }) as typeof db.iterator;
  return seen;
}

describe("encodings", () => {
  it("does not matter which ones the database has", async () => {
    for (const encoding of ["json", "utf8", "buffer", "view", "hex"]) {
      const store = kv(new MemoryLevel({ keyEncoding: encoding, valueEncoding: encoding }));
      await store.set("a", { b: "\0é🙂" }, { expires: "1h", metadata: [1] });
      expect(await store.get("a")).toEqual({ b: "\0é🙂" });
      expect(await store.keys()).toEqual(["a"]);
    }
  });

  it("keeps one readable text for each record", async () => {
    const db = onDisk();
    const store = kv(db);
    await store.set("key", { b: 1 }, { expires: new Date(253_402_300_799_999) });
    expect(await db.get("key")).toMatchObject({
      kv: 1,
      expires: 253_402_300_799_999,
      value: { b: 1 },
    });
    await store.close();
  });
});

describe("reading a range", () => {
  it("reads no more than it needs", async () => {
    const seen = watched();
    const store = kv(seen.db);
    await store.setMany(
      Array.from({ length: 3000 }, (_, i) => [`k${String(i).padStart(4, "0")}`, i]),
    );
    seen.read = 0;
    seen.ranges = [];
    expect((await store.prefix("k12").keys()).length).toBe(100);
    expect(await store.prefix("k299").entries()).toEqual(
      Array.from({ length: 10 }, (_, i) => [String(i), 2990 + i]),
    );
    expect((await store.list({ limit: 10, prefix: "k1" })).entries.length).toBe(10);
    expect(
      (await store.list({ limit: 10, prefix: "k1", reverse: true })).entries.map(
        ({ key }) => key,
      )[0],
    ).toBe("k1999");
    expect(seen.read).toBe(100 + 10 + 11 + 11);
    expect(seen.ranges[0]).toMatchObject({ gte: "k12", lt: "k13" });
  });

  it("finds the end of any prefix, in both directions", async () => {
    const parts = [
      "",
      "a",
      "\0",
      "é",
      "\ud7ff",
      "\ue000",
      "\uffff",
      "\u{10000}",
      "\u{10ffff}",
      "\u{10ffff}\u{10ffff}",
    ];
    const keys = [...new Set(parts.flatMap((a) => parts.map((b) => a + b)))].filter(
      (key) => key !== "",
    );
    const store = kv(onDisk());
    await store.setMany(keys.map((key) => [key, key]));
    const ordered = [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    expect(await store.keys()).toEqual(ordered);
    for (const prefix of keys) {
      const found = (await store.list({ prefix, limit: 1000 })).entries.map(({ key }) => key);
      expect(found).toEqual(ordered.filter((key) => key.startsWith(prefix)));
      const back = (await store.list({ prefix, limit: 1000, reverse: true })).entries.map(
        ({ key }) => key,
      );
      expect(back).toEqual(found.toReversed());
    }
    await store.close();
  });

  it("ends a page early when the values are large, and goes on behind it", async () => {
    const db = onDisk();
    const store = kv(db);
    for (let i = 0; i < 30; i++) await store.set(`k${i}`, "x".repeat(200_000));
    const adapter = await level(db).open();
    const page = await adapter.page!({
      prefix: "",
      after: null,
      limit: 500,
      reverse: false,
      values: true,
    });
    expect(page.entries.length).toBeLessThan(15);
    expect(page.next).toBe(page.entries.at(-1)![0]);
    expect((await store.values()).length).toBe(30);
    await store.close();
  });

  it("gets past keys of others that are not UTF-8, and lists its own among them", async () => {
    const db = new MemoryLevel<Buffer, string>({ keyEncoding: "buffer" });
    const store = kv(db);
    for (let i = 0; i < 2000; i++)
      await db.put(Buffer.from([0xf5 + (i % 8), i >> 8, i & 255]), "theirs");
    await store.setMany([
      ["a", 1],
      ["\ufffd", 2],
      ["\u{10ffff}", 3],
      ["\ufffd\ufffdz", 4],
    ]);
    expect(await store.keys()).toEqual(["a", "\ufffd", "\ufffd\ufffdz", "\u{10ffff}"]);
    await store.clear();
    expect((await db.keys().all()).length).toBe(2000);
  });
});

describe("items of others", () => {
  it("survive clear(), in the database and in sublevels, and are skipped", async () => {
    const db = onDisk();
    const store = kv(db);
    const theirs = db.sublevel<string, unknown>("theirs", { valueEncoding: "json" });
    await theirs.put("a", { anything: 1 });
    await db.put("raw", { kv: 1, version: "x", value: 1 });
    await store.set("mine", 1);
    expect(await store.keys()).toEqual(["mine"]);
    await store.clear();
    expect(await theirs.get("a")).toEqual({ anything: 1 });
    expect(await db.get("raw")).toMatchObject({ version: "x" });
    await expect(store.get("raw")).rejects.toMatchObject({
      code: "KV_FOREIGN",
      client: "LEVEL",
      key: "raw",
    });
    await expect(store.commit([{ key: "raw", version: null }], [])).rejects.toMatchObject({
      code: "KV_FOREIGN",
    });
    expect(await store.has("raw")).toBe(false);
    await store.set("raw", 2);
    expect(await store.get("raw")).toBe(2);
    await store.close();
  });

  it("keeps to its sublevel", async () => {
    const db = new MemoryLevel<string, unknown>({ valueEncoding: "json" });
    const [one, two] = [kv(db.sublevel("one")), kv(db.sublevel("two"))];
    await one.set("a", 1);
    await two.set("a", 2);
    await one.clear();
    expect(await one.keys()).toEqual([]);
    expect(await two.all()).toEqual({ a: 2 });
  });

  it("says KV_CORRUPT for a damaged record of its own, and can list it and remove it", async () => {
    const db = new MemoryLevel<string, string>();
    const store = kv(db);
    await store.set("a", { b: "c" });
    const text = await db.get("a", UTF8);
    await db.put("a", text!.slice(0, -3), UTF8);
    await expect(store.get("a")).rejects.toMatchObject({ code: "KV_CORRUPT", key: "a" });
    await expect(store.values()).rejects.toMatchObject({ code: "KV_CORRUPT", key: "a" });
    expect(await store.keys()).toEqual(["a"]);
    await store.clear();
    expect(await store.has("a")).toBe(false);
  });
});

async function increment(store: Store, times: number): Promise<void> {
  for (let done = 0; done < times;) {
    const entry = await store.entry<number>("count");
    const { ok } = await store.commit(
      [{ key: "count", version: entry?.version ?? null }],
      [{ key: "count", value: (entry?.value ?? 0) + 1 }],
    );
    if (ok) done++;
  }
}

describe("commit", () => {
  it("loses no increment among stores over one sublevel, however they came to it", async () => {
    const db = onDisk();
    const whole = kv(db).prefix("!part!!inner!") as Store;
    const stores = [
      kv(db.sublevel("part").sublevel("inner")),
      kv(db.sublevel("part").sublevel("inner")),
      kv(db.sublevel(["part", "inner"])),
      whole,
    ];
    await Promise.all(stores.map((store) => increment(store, 50)));
    expect(await whole.get("count")).toBe(200);
    await db.close();
  });

  // On the adapter, where the order of the calls is the order of the operations.
  const record = (value: string): StoredRecord =>
    new StoredRecord(value, null, formatVersion(timedStamp()), null);

  it("is not passed by a plain set or del that was called before it", async () => {
    const db = onDisk();
    const [one, other] = [await level(db).open(), await level(db).open()];
    for (let i = 0; i < 100; i++) {
      const key = `key${i}`;
      const first = record("first");
      await one.set(key, first);
      const plain = i % 2 === 0 ? other.set(key, record("plain")) : other.del(key);
      const committed = await one.commit!(
        [{ key, version: first.version as string }],
        [{ key, record: record("committed") }],
        0,
      );
      await plain;
      expect(committed).toEqual({ ok: false, failed: [key] });
      expect((await one.get(key))?.value).toBe(i % 2 === 0 ? "plain" : undefined);
    }
    await db.close();
  });

  it("makes a set, a del or many of them that were called after it wait", async () => {
    const db = onDisk();
    const [one, other] = [await level(db).open(), await level(db).open()];
    const plain = [
      (key: string) => other.set(key, record("plain")),
      (key: string) => other.del(key),
      (key: string) =>
        other.setMany!([
          { key: "beside", record: record("plain") },
          { key, record: record("plain") },
        ]),
    ];
    for (let i = 0; i < 99; i++) {
      const key = `key${i}`;
      const committed = one.commit!(
        [{ key, version: null }],
        [{ key, record: record("committed") }],
        0,
      );
      if (i % 2 === 0) await Promise.resolve();
      await plain[i % 3]!(key);
      expect((await committed).ok).toBe(true);
      expect((await one.get(key))?.value).toBe(i % 3 === 1 ? undefined : "plain");
    }
    await db.close();
  });
});

describe("connection", () => {
  it("waits for a database that is opening", async () => {
    const db = onDisk();
    expect(db.status).toBe("opening");
    const store = kv(db);
    await store.set("a", 1);
    expect(await store.get("a")).toBe(1);
    await store.close();
    expect(db.status).toBe("closed");
  });

  it("says why a database cannot be opened", async () => {
    const path = `${place()}/db`;
    const db = new Level(path);
    await db.open();
    const error: KvError = (await kv(new Level(path))
      .get("a")
      .catch((error: KvError) => error)) as KvError;
    expect(error).toMatchObject({ code: "KV_CONNECTION", client: "LEVEL" });
    expect((error.cause as Error).cause).toMatchObject({ code: "LEVEL_LOCKED" });
    await db.close();
  });

  it("refuses a database that its owner has closed, and does not open it again", async () => {
    const db = new MemoryLevel();
    await db.open();
    const store = kv(db);
    await store.set("a", 1);
    await db.close();
    for (const task of [
      () => store.get("a"),
      () => store.set("a", 1),
      () => store.del("a"),
      () => store.keys(),
      () => kv(db).get("a"),
    ]) {
      await expect(task()).rejects.toMatchObject({ code: "KV_CONNECTION", client: "LEVEL" });
    }
    expect(db.status).toBe("closed");
  });

  it("finishes its writes before it closes", async () => {
    const path = `${place()}/db`;
    const store = kv(new Level(path));
    await store.set("a", 0);
    const writes = Array.from({ length: 50 }, (_, i) => store.set("a", i));
    const commit = store.commit(
      [],
      [
        { key: "b", value: "b" },
        { key: "a", value: "last" },
      ],
    );
    // The writes have reached the adapter; they wait there, each for the one before.
    await turn();
    await store.close();
    await Promise.all([...writes, commit]);
    const again = kv(new Level(path));
    expect(await again.all()).toEqual({ a: "last", b: "b" });
    await again.close();
  });

  it("works with databases that throw for a missing key", async () => {
    class OldLevel extends MemoryLevel<string, string> {
      override async get(key: string, options?: object): Promise<never> {
        const found = await super.get(key, options as never);
        if (found === undefined)
          throw Object.assign(new Error(`Entry not found: ${key}`), {
            code: "LEVEL_NOT_FOUND",
            notFound: true,
          });
        return found as never;
      }
    }
    const store = kv(new OldLevel());
    expect(await store.get("a")).toBe(null);
    expect(await store.has("a")).toBe(false);
    await store.set("a", 1);
    expect(await store.getMany(["a", "b"])).toEqual([1, null]);
  });

  it("refuses an order in which prefixes have no range", async () => {
    const store = kv(new MemoryLevel({ storeEncoding: "utf8" }));
    await expect(store.set("a", 1)).rejects.toMatchObject({
      code: "KV_INVALID_CLIENT",
      client: "LEVEL",
    });
    await expect(kv(new MemoryLevel({ storeEncoding: "view" })).set("a", 1)).resolves.toBe("a");
  });

  it("refuses a value that is no Level database", () => {
    expect(() => level({} as LevelClient)).toThrow(
      expect.objectContaining({ code: "KV_INVALID_CLIENT" }),
    );
  });
});

it("does not look for each check of a commit among all the others", async () => {
  const store = kv(new MemoryLevel());
  await store.set("k7", 1);
  const search = vi.spyOn(Array.prototype, "indexOf");
  const result = await store.commit(
    Array.from({ length: 2000 }, (_, i) => ({ key: `k${i}`, version: null })),
    [{ key: "a", value: 1 }],
  );
  const searched = search.mock.calls.filter(([item]) => /^k\d+$/.test(String(item))).length;
  search.mockRestore();
  expect([result, searched]).toEqual([{ ok: false, failed: ["k7"] }, 0]);
});
