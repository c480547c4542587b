import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync, statSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { inspect } from "node:util";
import Database from "better-sqlite3";
import { afterEach, describe, expect, it, vi } from "vitest";
import { sqlite, type SqliteClient } from "../../../src/clients/sqlite/index.ts";
import kv, { type KvError, type Store } from "../../../src/index.ts";
import { StoredRecord } from "../../../src/record/record.ts";
import { place } from "../../support/disk.ts";
import { DRIVERS, type Handle } from "../../support/sqlite-drivers.ts";
import { PATIENT } from "../../support/patient.ts";

const VERSION = "0123456789abcdef0123";
const fail = (error: KvError): KvError => error;

async function increments(driver: string, path: string, times: number): Promise<void> {
  const child = spawn(
    process.execPath,
    [
      "--disable-warning=ExperimentalWarning",
      join(import.meta.dirname, "../../programs/sqlite-process.ts"),
      driver,
      path,
      String(times),
    ],
    { stdio: "inherit" },
  );
  const [code] = (await once(child, "exit")) as [number | null];
  if (code !== 0) throw new Error(`the process with ${driver} ended with ${code}`);
}

describe.each(Object.keys(DRIVERS))("SQLITE by %s", (driver) => {
  const open = (path = ":memory:"): Handle => DRIVERS[driver]!(path);
  const storeOf = (db: Handle, table?: string): Store =>
    kv(sqlite(db, table === undefined ? {} : { table }), PATIENT);

  afterEach(() => void vi.useRealTimers());

  describe("the table", () => {
    it("is one readable row for each record", async () => {
      const db = open();
      const store = storeOf(db);
      await store.set(
        "key\0é",
        { b: [1] },
        { expires: new Date(253_402_300_799_999), metadata: "m" },
      );
      await store.set("other", "x");
      expect(
        db
          .prepare(
            "SELECT key, expires, metadata, value, length(version) AS version FROM kv ORDER BY key",
          )
          .all()
          .map((row) => ({ ...(row as object) })),
      ).toEqual([
        {
          key: "key\0é",
          expires: 253_402_300_799_999,
          metadata: '"m"',
          value: '{"b":[1]}',
          version: 20,
        },
        { key: "other", expires: null, metadata: null, value: '"x"', version: 20 },
      ]);
      expect((await store.entry("key\0é"))!.expires).toBe(253_402_300_799_999);
      expect(
        db.prepare("SELECT typeof(expires) AS type FROM kv WHERE key <> 'other'").get(),
      ).toMatchObject({ type: "integer" });
      expect(
        (db.prepare("SELECT sql FROM sqlite_schema WHERE name = 'kv'").get() as { sql: string })
          .sql,
      ).toContain("/* anykv 1 */");
    });

    it("has any name", async () => {
      const db = open();
      for (const name of [
        "sessions",
        'a "quoted" name',
        '"',
        "it's",
        'kv"; DROP TABLE sessions; --',
        "main.kv",
        "select",
        "two words",
        "%",
        "[x]",
        "`",
        "é🙂",
        "new\nline",
      ]) {
        await storeOf(db, name).set("a", name);
      }
      const names = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all() as {
        name: string;
      }[];
      expect(names.length).toBe(13);
      for (const { name } of names) expect(await storeOf(db, name).all()).toEqual({ a: name });
    });

    it("may have the name that the index of another table has, or would have", async () => {
      for (const names of [
        ["kv", "kv:expires"],
        ["kv:expires", "kv"],
        ["kv", "KV:EXPIRES", "kv:expires:2"],
        ["kv:expires:2", "kv", "kv:expires"],
      ]) {
        const path = `${place()}/data.db`;
        const db = open(path);
        const second = open(path);
        for (const [i, name] of names.entries()) {
          await storeOf(db, name).set("a", name, { expires: "1h" });
          // A handle whose statements were prepared before the index was renamed.
          await storeOf(second, names[0]).set("b", i);
        }
        for (const name of names) {
          expect(await storeOf(db, name).get("a")).toBe(name);
          const plan = db
            .prepare(`EXPLAIN QUERY PLAN SELECT rowid FROM "${name}" WHERE expires <= 5`)
            .all();
          expect(JSON.stringify(plan)).toContain(":expires");
          const indexes = db
            .prepare(
              "SELECT count(*) AS count FROM sqlite_master WHERE type = 'index' AND " +
                "tbl_name = ? COLLATE NOCASE AND sql IS NOT NULL",
            )
            .get(name);
          expect(indexes).toMatchObject({ count: 1 });
        }
        second.close();
        db.close();
      }
    });

    it("cannot have a name that SQLite refuses", async () => {
      const db = open();
      for (const name of ["", "a\0b", "\ud800", "sqlite_x", "SQLITE_x", 1, null]) {
        await expect(storeOf(db, name as string).set("a", 1)).rejects.toMatchObject({
          code: "KV_INVALID_CLIENT",
          client: "SQLITE",
        });
      }
      expect(db.prepare("SELECT name FROM sqlite_schema").all()).toEqual([]);
    });

    it("is refused and left alone when it is foreign", async () => {
      for (const schema of [
        "CREATE TABLE kv (id TEXT PRIMARY KEY, value TEXT, expires_at INTEGER)",
        "CREATE TABLE kv (key TEXT PRIMARY KEY NOT NULL, version TEXT NOT NULL, expires " +
          "INTEGER, metadata TEXT, value TEXT NOT NULL, more TEXT)",
        "CREATE TABLE kv (key TEXT NOT NULL, version TEXT NOT NULL, expires INTEGER, " +
          "metadata TEXT, value TEXT NOT NULL)",
        "CREATE TABLE x (key); CREATE VIEW kv AS SELECT * FROM x",
      ]) {
        const db = open();
        db.exec(schema);
        const before = db.prepare("SELECT * FROM sqlite_schema").all();
        for (const task of [
          () => storeOf(db).get("a"),
          () => storeOf(db).set("a", 1),
          () => storeOf(db).clear(),
        ]) {
          await expect(task()).rejects.toMatchObject({
            code: "KV_INVALID_CLIENT",
            message: expect.stringContaining('"kv"'),
          });
        }
        expect(db.prepare("SELECT * FROM sqlite_schema").all()).toEqual(before);
      }
    });

    it("needs a database in UTF-8", async () => {
      const db = open();
      db.exec("PRAGMA encoding = 'UTF-16le'");
      await expect(storeOf(db).set("a", 1)).rejects.toMatchObject({
        code: "KV_INVALID_CLIENT",
        message: expect.stringContaining("UTF-16le"),
      });
    });

    it("is read through a handle that cannot write", async () => {
      const path = `${place()}/data.db`;
      const store = storeOf(open(path));
      await store.set("a", 1);
      await store.close();
      const readonly =
        driver === "node:sqlite"
          ? new DatabaseSync(path, { readOnly: true })
          : new Database(path, { readonly: true });
      expect(await kv(readonly).all()).toEqual({ a: 1 });
      expect(await kv(readonly).getMany(["a", "b"])).toEqual([1, null]);
      await expect(kv(readonly).set("a", 2)).rejects.toMatchObject({
        code: "KV_CONNECTION",
        cause: expect.objectContaining({ message: expect.stringContaining("readonly") }),
      });
      readonly.close();
    });

    it("raises synchronous from FULL, and leaves the other pragmas as they are", async () => {
      const db = open(`${place()}/data.db`);
      const pragmas = [
        "journal_mode",
        "busy_timeout",
        "foreign_keys",
        "user_version",
        "application_id",
        "auto_vacuum",
        "locking_mode",
      ];
      const values = (): unknown[] => pragmas.map((name) => db.prepare(`PRAGMA ${name}`).get());
      const before = values();
      const store = storeOf(db);
      await store.set("a", 1, { expires: "1h" });
      await store.commit([], [{ key: "b", value: 1 }]);
      await store.prune();
      expect(values()).toEqual(before);
      const synchronous = (): number =>
        Number((db.prepare("PRAGMA synchronous").get() as { synchronous: number }).synchronous);
      expect(synchronous()).toBe(3);
      db.exec("PRAGMA synchronous = NORMAL");
      await storeOf(db).set("a", 2);
      expect(synchronous()).toBe(1);
      db.close();
    });
  });

  describe("prefixes", () => {
    it("are literal: no wildcard, no other case", async () => {
      const store = storeOf(open());
      const keys = [
        "a_1",
        "ab1",
        "a%1",
        "A_1",
        "user:1",
        "USER:1",
        "User:1",
        "[x]1",
        "x1",
        "*1",
        "é1",
        "É1",
        "e\u03011",
      ];
      await store.setMany(keys.map((key) => [key, key]));
      for (const prefix of ["a_", "a%", "user:", "USER:", "[x]", "*", "é", "%", "_"]) {
        expect(await store.prefix(prefix).keys()).toEqual(
          keys.filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length)),
        );
        expect(Object.keys(await store.all(prefix))).toEqual(
          keys.filter((key) => key.startsWith(prefix)),
        );
      }
      await store.prefix("user:").clear();
      await store.prefix("a_").clear();
      await store.prefix("%").clear();
      expect((await store.keys()).sort()).toEqual(
        keys.filter((key) => key !== "a_1" && key !== "user:1").sort(),
      );
    });

    it("have an end for every last character, in both directions", async () => {
      const parts = [
        "",
        "a",
        "\0",
        "\x7f",
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
      const store = storeOf(open());
      await store.setMany(keys.map((key) => [key, key]));
      const ordered = [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      expect(await store.keys()).toEqual(ordered);
      for (const prefix of keys) {
        const expected = ordered.filter((key) => key.startsWith(prefix));
        for (const limit of [1000, 3]) {
          const found: string[] = [];
          const back: string[] = [];
          for (const [list, reverse] of [
            [found, false],
            [back, true],
          ] as const) {
            let cursor: string | null = null;
            do {
              const page: { entries: readonly { key: string }[]; cursor: string | null } =
                await store.list({ prefix, limit, cursor, reverse });
              list.push(...page.entries.map(({ key }) => key));
              ({ cursor } = page);
            } while (cursor !== null);
          }
          expect(found).toEqual(expected);
          expect(back).toEqual(expected.toReversed());
        }
      }
    });

    it("are ranges of an index, never a walk through the table, and so are deadlines", async () => {
      const db = open();
      const texts = new Set<string>();
      const watched: SqliteClient = {
        prepare(sql) {
          texts.add(sql);
          return db.prepare(sql) as never;
        },
        exec: (sql) => db.exec(sql),
        close: () => db.close(),
        inTransaction: false,
      };
      const store = kv(watched) as Store;
      await store.setMany(Array.from({ length: 1000 }, (_, i) => [`k${i}`, i]));
      await store.prefix("k1").keys();
      await store.prefix("k1").values();
      await store.list({ limit: 5 });
      await store.list({ prefix: "k1", limit: 5, reverse: true });
      await store.prefix("k1").clear();
      await store.prefix("k2").prune();
      await store.prune();
      for (let i = 0; i < 200; i++) await store.set("k", i);
      await store.has("k");
      const plans = [...texts]
        .filter((sql) => /\bFROM "kv"|INTO "kv"/.test(sql))
        .map((sql) => {
          const steps = db
            .prepare(`EXPLAIN QUERY PLAN ${sql}`)
            .all(...Array.from(sql.matchAll(/\?/g), () => 1)) as { detail: string }[];
          return [sql, steps.map(({ detail }) => detail).join("; ")] as const;
        });
      expect(plans.length).toBeGreaterThan(8);
      expect(plans.filter(([, plan]) => /SCAN|TEMP B-TREE/.test(plan))).toEqual([]);
      expect(
        plans.filter(([sql, plan]) => /expires <=/.test(sql) && !plan.includes("kv:expires")),
      ).toEqual([]);
    });

    it("are read in pages, which end early when the values are large", async () => {
      const db = open();
      const store = storeOf(db);
      for (let i = 0; i < 40; i++) await store.set(`k${i}`, "x".repeat(100_000));
      const adapter = await sqlite(db).open();
      const query = { prefix: "", after: null, limit: 500, reverse: false };
      const page = await adapter.page!({ ...query, values: true });
      expect(page.entries.length).toBe(10);
      expect(page.next).toBe(page.entries[9]![0]);
      const heads = await adapter.page!({ ...query, values: false });
      expect([heads.entries.length, heads.next, heads.entries[0]![1].value]).toEqual([
        40,
        null,
        null,
      ]);
      expect((await store.values()).length).toBe(40);
    });
  });

  describe("rows of others and damaged rows", () => {
    const insert = (
      db: Handle,
      key: unknown,
      version: unknown,
      value: unknown,
      expires: number | null = null,
    ): void =>
      void db
        .prepare("INSERT INTO kv (key, version, expires, value) VALUES (?, ?, ?, ?)")
        .run(key, version, expires, value);

    it("survive clear() and prune(), and are skipped and refused", async () => {
      const db = open();
      const store = storeOf(db);
      await store.set("mine", 1);
      insert(db, "theirs", "1", '"x"', 5);
      insert(db, "upper", VERSION.toUpperCase(), '"x"', 5);
      insert(db, "binary", Buffer.from(VERSION), '"x"');
      insert(db, Buffer.from("mine"), "1", '"x"');
      expect(await store.all()).toEqual({ mine: 1 });
      expect(await store.keys()).toEqual(["mine"]);
      for (const key of ["theirs", "upper", "binary"]) {
        await expect(store.get(key)).rejects.toMatchObject({ code: "KV_FOREIGN", key });
        await expect(
          store.commit([{ key, version: null }], [{ key: "z", value: 1 }]),
        ).rejects.toMatchObject({ code: "KV_FOREIGN", key });
        expect(await store.has(key)).toBe(false);
      }
      expect(await store.prune()).toBe(0);
      await store.clear();
      expect(db.prepare("SELECT count(*) AS n FROM kv").get()).toMatchObject({ n: 4 });
      expect((await store.list({ limit: 1, reverse: true })).entries).toEqual([]);
      await store.set("theirs", 2);
      expect(await store.get("theirs")).toBe(2);
    });

    it("are KV_CORRUPT when they were ours, can be listed, replaced and cleared", async () => {
      const db = open();
      const store = storeOf(db);
      await store.set("z", 1);
      insert(db, "a", VERSION, '{"half');
      insert(db, "b", VERSION, "");
      for (const key of ["a", "b"])
        await expect(store.get(key)).rejects.toMatchObject({ code: "KV_CORRUPT", key });
      await expect(store.values()).rejects.toMatchObject({ code: "KV_CORRUPT", key: "a" });
      insert(db, "c", VERSION, "secret");
      const error = await store.get("c").catch(fail);
      expect(error).toMatchObject({ code: "KV_CORRUPT", key: "c" });
      expect(inspect(error, { showHidden: true })).not.toContain("secret");
      await store.del("c");
      expect(await store.keys()).toEqual(["a", "b", "z"]);
      await store.set("a", 1);
      await store.prefix("b").clear();
      await store.del("b");
      expect(await store.all()).toEqual({ a: 1, z: 1 });
    });
  });

  describe("expiry", () => {
    it("goes by the index: expired rows leave, others stay", async () => {
      vi.useFakeTimers({ toFake: ["Date"] });
      const db = open();
      const store = storeOf(db);
      await store.setMany(
        Array.from({ length: 300 }, (_, i) => [`a:${i}`, i]),
        { expires: 1 },
      );
      await store.setMany(
        Array.from({ length: 10 }, (_, i) => [`b:${i}`, i]),
        { expires: 1 },
      );
      await store.set("later", 1, { expires: 1.001 });
      await store.set("never", 1);
      vi.setSystemTime(Date.now() + 1000);
      expect(await store.has("b:1")).toBe(false);
      expect(await store.has("later")).toBe(true);
      expect(await store.prefix("b:").prune()).toBe(10);
      const adapter = await sqlite(db).open();
      expect(await adapter.prune!({ prefix: "", now: Date.now(), limit: 100 })).toBe(100);
      expect(await adapter.prune!({ prefix: "c", now: Date.now(), limit: 100 })).toBe(0);
      expect(await store.prune()).toBe(200);
      expect(db.prepare("SELECT key FROM kv ORDER BY key").all()).toMatchObject([
        { key: "later" },
        { key: "never" },
      ]);
    });
  });

  describe("the handle's settings", () => {
    it("may turn integers into bigints and rows into arrays", async () => {
      const path = `${place()}/data.db`;
      const db =
        driver === "node:sqlite"
          ? new DatabaseSync(path, { readBigInts: true, returnArrays: true })
          : new Database(path).defaultSafeIntegers(true);
      const store = kv(db);
      await store.set("a", 1, { expires: new Date(253_402_300_799_999) });
      await store.set("b", 2, { expires: "1m" });
      expect((await store.entry("a"))!.expires).toBe(253_402_300_799_999);
      expect((await store.list()).entries[0]).toMatchObject({ key: "a", value: 1 });
      expect(await store.has("a")).toBe(true);
      const now = vi.spyOn(Date, "now").mockReturnValue(Date.now() + 60_000);
      expect(await store.prune()).toBe(1);
      now.mockRestore();
      expect(await kv(db).get("a")).toBe(1);
      await store.close();
    });
  });

  describe("transactions", () => {
    it("takes part in the one that its owner has open", async () => {
      const db = open();
      const store = storeOf(db);
      await store.set("a", "before");
      const { version } = (await store.entry("a"))!;
      db.exec("BEGIN");
      expect(await store.commit([{ key: "a", version: null }], [{ key: "b", value: 1 }])).toEqual({
        ok: false,
        failed: ["a"],
      });
      expect(
        (await store.commit([{ key: "a", version }], [{ key: "a", value: "inside" }])).ok,
      ).toBe(true);
      await store.setMany([
        ["b", 1],
        ["c", 2],
      ]);
      expect(await store.getMany(["a", "b"])).toEqual(["inside", 1]);
      db.exec("ROLLBACK");
      expect(await store.all()).toEqual({ a: "before" });
      db.exec("BEGIN");
      await store.commit([], [{ key: "d", value: 1 }]);
      db.exec("COMMIT");
      expect(await store.get("d")).toBe(1);
    });

    it("takes back a failed commit or setMany, and nothing else of its owner", async () => {
      const db = open();
      const store = storeOf(db);
      await store.set("a", 1);
      db.exec(
        "CREATE TRIGGER no BEFORE INSERT ON kv WHEN new.key = 'forbidden' BEGIN SELECT " +
          "RAISE(ABORT, 'no'); END",
      );
      const writes = [
        { key: "b", value: 1 },
        { key: "a", value: null },
        { key: "forbidden", value: 1 },
      ];
      for (const task of [
        () => store.commit([], writes),
        () => store.setMany(writes.map(({ key, value }) => [key, value])),
      ]) {
        await expect(task()).rejects.toMatchObject({ code: "KV_CONNECTION" });
        expect(await store.all()).toEqual({ a: 1 });
      }
      db.exec("BEGIN");
      await store.set("mine", 1);
      await expect(store.commit([], writes)).rejects.toMatchObject({ code: "KV_CONNECTION" });
      db.exec("COMMIT");
      expect(await store.all()).toEqual({ a: 1, mine: 1 });
    });

    it("works on handles that do not tell whether a transaction is open", async () => {
      const path = `${place()}/data.db`;
      const db = open(path);
      const store = kv({
        prepare: (sql: string) => db.prepare(sql),
        exec: (sql: string) => db.exec(sql),
        close: () => db.close(),
      }) as Store;
      await store.set("a", 1);
      const { version } = (await store.entry("a"))!;
      expect((await store.commit([{ key: "a", version }], [{ key: "a", value: 2 }])).ok).toBe(true);
      expect((await store.commit([{ key: "a", version }], [{ key: "a", value: 3 }])).ok).toBe(
        false,
      );
      expect(await kv(open(path)).get("a")).toBe(2);
      db.exec("BEGIN");
      await store.commit([], [{ key: "a", value: 4 }]);
      db.exec("ROLLBACK");
      expect(await store.get("a")).toBe(2);
      await store.close();
    });
  });

  describe("other processes", () => {
    const path = (): string => `${place()}/data.db`;
    const record = (value: string): StoredRecord => new StoredRecord(value, null, VERSION, null);

    it("are not waited for when none is there: the answer is synchronous", async () => {
      const adapter = await sqlite(open(path())).open();
      expect(adapter.set("a", record("x"))).toBe(undefined);
      expect(adapter.get("a")).toEqual(record("x"));
      expect(adapter.getMany!(["a"])).toEqual([record("x")]);
      expect(adapter.commit!([], [{ key: "b", record: record("y") }], 0)).toEqual({
        ok: true,
        version: VERSION,
      });
    });

    it("are waited for, and the writes stay in order", async () => {
      const file = path();
      const other = open(file);
      const db = open(file);
      const adapter = await sqlite(db).open();
      await adapter.set("z", record("z"));
      other.exec("BEGIN IMMEDIATE");
      const done: string[] = [];
      const writes = [
        Promise.resolve(adapter.set("a", record("first"))).then(() => done.push("first")),
        Promise.resolve(
          adapter.commit!(
            [{ key: "a", version: VERSION }],
            [{ key: "a", record: record("second") }],
            0,
          ),
        ).then((result) => done.push(`second ${result.ok}`)),
        Promise.resolve(adapter.set("b", record("b"))).then(() => done.push("b")),
        Promise.resolve(adapter.del("z")).then(() => done.push("del")),
      ];
      expect(await adapter.get("a")).toBe(null);
      await new Promise((resolve) => setTimeout(resolve, 30));
      expect(done).toEqual([]);
      other.exec("COMMIT");
      await Promise.all(writes);
      expect(done).toEqual(["first", "second true", "b", "del"]);
      expect(((await adapter.get("a")) as StoredRecord).value).toBe("second");
      expect(await adapter.get("z")).toBe(null);
      // Nothing waits any more: synchronous again.
      expect(adapter.set("a", record("third"))).toBe(undefined);
      db.close();
      other.close();
    });

    it("are waited for by reads, and while the table is made", async () => {
      const file = path();
      const other = open(file);
      other.exec("CREATE TABLE theirs (x); BEGIN EXCLUSIVE");
      const store = storeOf(open(file));
      const first = store.get("a");
      setTimeout(() => other.exec("COMMIT"), 20);
      expect(await first).toBe(null);
      await store.set("a", 1);
      other.exec("BEGIN EXCLUSIVE");
      const reads = Promise.all([
        store.get("a"),
        store.has("a"),
        store.keys(),
        store.getMany(["a"]),
      ]);
      setTimeout(() => other.exec("COMMIT"), 20);
      expect(await reads).toEqual([1, true, ["a"], [1]]);
      await store.close();
      other.close();
    });

    it("are waited for by writes, and the reads behind those see their values", async () => {
      const file = path();
      const other = open(file);
      const store = storeOf(open(file));
      await store.set("a", 1);
      other.exec("BEGIN IMMEDIATE");
      const calls = [
        store.set("a", 2),
        store.get("a"),
        store.del("a"),
        store.has("a"),
        store.set("a", 3),
        store.keys(),
        store.get("a"),
      ];
      setTimeout(() => other.exec("COMMIT"), 20);
      expect(await Promise.all(calls)).toEqual(["a", 2, "a", false, "a", ["a"], 3]);
      await store.close();
      other.close();
    });

    it("end all waiting writes after 4.5 seconds, and write nothing", async () => {
      const file = path();
      const other = open(file);
      const store = storeOf(open(file));
      // Loads the code of commit(), which takes real time.
      await store.commit([], [{ key: "a", value: 1 }]);
      other.exec("BEGIN IMMEDIATE");
      vi.useFakeTimers({ toFake: ["Date", "setTimeout"] });
      const start = Date.now();
      // Of different keys: a write waits for an earlier one of its key, and for its own time after
      // it.
      const writes = [
        store.set("a", 2),
        store.set("b", 2),
        store.del("d"),
        store.commit([], [{ key: "c", value: 1 }]),
      ].map((write) => write.catch(fail));
      await vi.advanceTimersByTimeAsync(4400);
      expect(await Promise.race([...writes, "waiting"])).toBe("waiting");
      await vi.advanceTimersByTimeAsync(500);
      for (const error of await Promise.all(writes))
        expect(error).toMatchObject({
          code: "KV_CONNECTION",
          cause: expect.objectContaining({ message: "database is locked" }),
        });
      expect(Date.now() - start).toBe(4900);
      vi.useRealTimers();
      other.exec("COMMIT");
      expect(await store.all()).toEqual({ a: 1 });
      await store.close();
      other.close();
    });

    it("are waited for by close()", async () => {
      const file = path();
      const other = open(file);
      const store = storeOf(open(file));
      await store.set("a", 1);
      other.exec("BEGIN IMMEDIATE");
      const write = store.set("a", 2);
      const closed = store.close();
      setTimeout(() => other.exec("COMMIT"), 20);
      await Promise.all([write, closed]);
      expect(await kv(other).get("a")).toBe(2);
      other.close();
    });

    for (const [mode, second] of [
      ["DELETE", driver],
      ["WAL", driver],
      ["WAL", "better-sqlite3"],
    ] as const) {
      it(`lose no increment: 500 of ${driver}, 500 of ${second}, journal ${mode}`, async () => {
        const file = path();
        const db = open(file);
        db.exec(`PRAGMA journal_mode = ${mode}`);
        await Promise.all([increments(driver, file, 500), increments(second, file, 500)]);
        expect(await kv(db).get("count")).toBe(1000);
        db.close();
      });
    }
  });

  describe("refusals of SQLite", () => {
    it("KV_QUOTA when it is full, and the old records stay", async () => {
      const db = open(`${place()}/data.db`);
      const store = storeOf(db);
      await store.set("a", "before");
      db.exec("PRAGMA max_page_count = 10");
      const large = "x".repeat(100_000);
      for (const task of [
        () => store.set("a", large),
        () =>
          store.setMany([
            ["b", 1],
            ["a", large],
          ]),
        () =>
          store.commit(
            [],
            [
              { key: "b", value: 1 },
              { key: "a", value: large },
            ],
          ),
      ]) {
        await expect(task()).rejects.toMatchObject({ code: "KV_QUOTA", client: "SQLITE" });
        expect(await store.all()).toEqual({ a: "before" });
      }
      await store.set("a", "after");
      expect(await store.get("a")).toBe("after");
      db.close();
    });

    it("KV_TOO_LARGE for values that it cannot hold", async () => {
      const db = open();
      const store = storeOf(db);
      await store.set("a", "before");
      // SQLite's own refusal, without a value of a gigabyte.
      db.exec(
        "CREATE TRIGGER big BEFORE UPDATE ON kv BEGIN SELECT " +
          "length(zeroblob(2147483647)); SELECT hex(zeroblob(2000000000)); END",
      );
      await expect(store.set("a", "after")).rejects.toMatchObject({
        code: "KV_TOO_LARGE",
        key: "a",
      });
      expect(await store.get("a")).toBe("before");
    });

    it("KV_CORRUPT for a file that is no database or damaged, and stays as it is", async () => {
      const file = `${place()}/data.db`;
      writeFileSync(file, "this is a letter, not a database. ".repeat(100));
      const before = readFileSync(file);
      const store = storeOf(open(file));
      await expect(store.get("a")).rejects.toMatchObject({ code: "KV_CORRUPT", client: "SQLITE" });
      await expect(store.set("a", 1)).rejects.toMatchObject({ code: "KV_CORRUPT" });
      expect(readFileSync(file).equals(before)).toBe(true);

      const damaged = `${place()}/damaged.db`;
      const first = storeOf(open(damaged));
      await first.setMany(Array.from({ length: 500 }, (_, i) => [`k${i}`, "x".repeat(100)]));
      await first.close();
      const target = openSync(damaged, "r+");
      for (let page = 4096 * 2; page < statSync(damaged).size; page += 4096)
        writeSync(target, Buffer.alloc(4096, 0x7f), 0, 4096, page);
      closeSync(target);
      await expect(storeOf(open(damaged)).values()).rejects.toMatchObject({ code: "KV_CORRUPT" });
    });

    it("KV_CONNECTION when its owner has closed the handle", async () => {
      const db = open();
      const store = storeOf(db);
      await store.set("a", 1);
      db.close();
      for (const task of [
        () => store.get("a"),
        () => store.set("a", 1),
        () => store.keys(),
        () => store.commit([], []),
        () => storeOf(db).get("a"),
      ]) {
        await expect(task()).rejects.toMatchObject({ code: "KV_CONNECTION", client: "SQLITE" });
      }
      await store.close();
      await expect(store.get("a")).rejects.toMatchObject({ code: "KV_CLOSED" });
    });

    it("closes the handle", async () => {
      const db = open();
      const store = storeOf(db);
      await store.set("a", 1);
      await store.close();
      expect(() => db.prepare("SELECT 1").get()).toThrow(/not open/);
    });
  });
});

it("keeps exact keys across drivers, those with NUL too", async () => {
  const file = `${place()}/data.db`;
  const keys = [
    "\0",
    "a\0",
    "a\0b",
    "a",
    "é",
    "e\u0301",
    "🙂",
    "\ufeffx",
    " x ",
    "NULL",
    "123",
    "1e3",
    "'",
    '"',
    ";--",
  ];
  const [one, two] = Object.values(DRIVERS).map((open) => kv(open(file)));
  for (const key of keys) await one!.set(key, key);
  for (const store of [one!, two!]) {
    expect((await store.keys()).sort()).toEqual([...keys].sort());
    for (const key of keys) expect(await store.get(key)).toBe(key);
  }
  await two!.del("a\0b");
  expect(await one!.getMany(["a", "a\0", "a\0b"])).toEqual(["a", "a\0", null]);
  await one!.close();
  await two!.close();
});

it("refuses a handle that answers by callbacks or promises", async () => {
  for (const answer of [Promise.resolve([]), {}]) {
    const statement = {
      get: () => answer,
      all: () => answer,
      run: () => answer,
      iterate: () => answer,
    };
    const store = kv({ prepare: () => statement, exec: () => answer, close: () => answer });
    expect(store.type).toBe("SQLITE");
    await expect(store.get("a")).rejects.toMatchObject({
      code: "KV_INVALID_CLIENT",
      message: expect.stringContaining("asynchronous"),
    });
  }
});

it("keeps keys with NUL on a handle that cuts texts there, as Node 22 does", async () => {
  const db = new DatabaseSync(":memory:");
  const cut = (row: unknown): unknown =>
    row &&
    Object.fromEntries(
      Object.entries(row as object).map(([name, value]: [string, unknown]) => [
        name,
        typeof value === "string" ? value.replace(/\0[^]*/, "") : value,
      ]),
    );
  const store = kv({
    prepare(sql: string) {
      const statement = db.prepare(sql);
      return {
        get: (...parameters: string[]) => cut(statement.get(...parameters)),
        all: (...parameters: string[]) => statement.all(...parameters).map(cut),
        run: (...parameters: string[]) => statement.run(...parameters),
        iterate: (...parameters: string[]) => statement.all(...parameters).map(cut),
      };
    },
    exec: (sql: string) => db.exec(sql),
    close: () => db.close(),
  });
  const keys = ["\0", "\0\0é", "a", "a\0", "a\0b", "b"];
  await store.setMany(keys.map((key) => [key, key]));
  expect(await store.keys()).toEqual(keys);
  const first = await store.list({ limit: 4 });
  expect(first.entries.map(({ key }) => key)).toEqual(keys.slice(0, 4));
  expect((await store.list({ cursor: first.cursor })).entries.map(({ key }) => key)).toEqual(
    keys.slice(4),
  );
  expect((await store.list({ reverse: true })).entries.map(({ key }) => key)).toEqual(
    keys.toReversed(),
  );
  expect(await store.all("a\0")).toEqual({ "a\0": "a\0", "a\0b": "a\0b" });
  await store.close();
});
