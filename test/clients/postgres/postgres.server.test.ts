import { spawnSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { join } from "node:path";
import pg from "pg";
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { postgres, type PostgresOptions } from "../../../src/clients/postgres/index.ts";
import kv, { type Client, type Store } from "../../../src/index.ts";
import { unescapeKey, escapeKey } from "../../../src/clients/postgres/table.ts";
import { ReadAhead } from "../../../src/clients/shared/read-ahead.ts";

import { until } from "../../support/daemon.ts";
import { seesItsOwnWrites } from "../../suites/own-writes.ts";
import { endsWhilePaused } from "../../support/paused.ts";
import { PASSWORD, postgresServer } from "../../support/postgres-server.ts";
import { PATIENT } from "../../support/patient.ts";
import type { PageQuery } from "../../../src/clients/adapter.ts";

const server = await postgresServer();
const admin = new pg.Pool({ connectionString: server.url, max: 2 });
admin.on("error", () => {});
afterAll(async () => {
  await admin.end();
  await server.remove();
});

const open: Store[] = [];
const kept = (store: Store): Store => (open.push(store), store);
const pool = (options: object = {}) => new pg.Pool({ connectionString: server.url, ...options });
const sql = async (text: string, values?: unknown[]): Promise<{ [column: string]: unknown }[]> =>
  (await admin.query(text, values)).rows;
const storeOf = (options?: PostgresOptions, client: object = pool()): Store =>
  kept(kv(postgres(client as never, options), PATIENT));

beforeEach(() =>
  sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public; DROP SCHEMA IF EXISTS other CASCADE"),
);
afterEach(async () => {
  await Promise.all(open.splice(0).map((store) => store.close()));
});

interface Query {
  readonly text: string;
  readonly values?: unknown[];
}
type Answer = Promise<{ rows: unknown[] }>;

/** Puts something between a Pool and the statements that its clients get. Returns how to end it. */
function intercept(
  client: pg.Pool,
  between: (query: Query, ask: (query: Query) => Answer) => Answer,
): () => void {
  const connect = client.connect.bind(client) as () => Promise<pg.PoolClient>;
  client.connect = (async () => {
    const taken = await connect();
    const ask = (query: Query): Answer => taken.query(query);
    return {
      query: (query: Query) => between(query, ask),
      on: taken.on.bind(taken),
      removeListener: taken.removeListener.bind(taken),
      release: taken.release,
    };
  }) as never;
  return () => (client.connect = connect as never);
}

/** The statements that a client is asked for while something is done. */
async function statementsOf(client: pg.Pool, work: () => Promise<unknown>): Promise<string[]> {
  const texts: string[] = [];
  const end = intercept(client, (query, ask) => {
    texts.push(query.text);
    return ask(query);
  });
  await work();
  end();
  // What sweeps, as every so many writes do, is no part of it.
  return texts.filter((text) => !/SKIP LOCKED/.test(text));
}

describe("the table", () => {
  it("is one readable row for each record", async () => {
    const store = storeOf();
    await store.set(
      "key\0é\u0001",
      { b: [1], a: "\0\ud800'\\" },
      { expires: new Date(253_402_300_799_999), metadata: "m" },
    );
    await store.set("other", "x");
    const rows = await sql(
      "SELECT key, expires::text, metadata, value, length(version) AS version FROM kv ORDER BY key",
    );
    expect(rows).toEqual([
      {
        key: "key\u0001\u0001é\u0001\u0002",
        expires: "253402300799999",
        metadata: '"m"',
        value: String.raw`{"b":[1],"a":"\u0000\ud800'\\"}`,
        version: 20,
      },
      { key: "other", expires: null, metadata: null, value: '"x"', version: 20 },
    ]);
    expect(await store.entry("key\0é\u0001")).toMatchObject({
      key: "key\0é\u0001",
      value: { b: [1], a: "\0\ud800'\\" },
      expires: 253_402_300_799_999,
      metadata: "m",
    });
    expect(await sql("SELECT obj_description('kv'::regclass) AS comment")).toEqual([
      { comment: "anykv 1" },
    ]);
    expect(
      (
        await sql(
          "SELECT indexdef FROM pg_indexes WHERE tablename = 'kv' AND indexdef LIKE " +
            "'%expires IS NOT NULL%'",
        )
      ).length,
    ).toBe(1);
  });

  it("has any name, in any schema", async () => {
    await sql("CREATE SCHEMA other");
    for (const table of [
      "sessions",
      'a "quoted" name',
      '"',
      "it's",
      'kv"; DROP TABLE sessions; --',
      "public.kv",
      "select",
      "two words",
      "%",
      "$anykv$",
      "$anykv$0$anykv0$",
      "é🙂",
      "new\nline",
      "\\",
      "x".repeat(63),
    ]) {
      await storeOf({ table }).set("a", table);
      await storeOf({ table, schema: "other" }).commit(
        [
          { key: "b", version: null },
          { key: "c", version: null },
        ],
        [{ key: "b", value: table }],
      );
      expect(await storeOf({ table }).all()).toEqual({ a: table });
      expect(await storeOf({ table, schema: "other" }).all()).toEqual({ b: table });
    }
    expect(
      await sql(
        "SELECT schemaname, count(*)::int FROM pg_tables WHERE schemaname IN ('public', " +
          "'other') GROUP BY 1 ORDER BY 1",
      ),
    ).toEqual([
      { schemaname: "other", count: 15 },
      { schemaname: "public", count: 15 },
    ]);
  });

  it("cannot have a name that Postgres refuses, or be in a missing schema", async () => {
    for (const options of [
      { table: "" },
      { table: "a\0b" },
      { table: "\ud800" },
      { table: "x".repeat(64) },
      { table: 1 },
      { table: null },
      { schema: "" },
      { schema: "none" },
    ]) {
      await expect(storeOf(options as PostgresOptions).set("a", 1)).rejects.toMatchObject({
        code: "KV_INVALID_CLIENT",
        client: "POSTGRES",
      });
    }
    expect(await sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).toEqual([]);
  });

  it("is refused and left alone when it is foreign", async () => {
    for (const schema of [
      "CREATE TABLE kv (id text PRIMARY KEY, value text, expires_at bigint)",
      "CREATE TABLE kv (key text PRIMARY KEY, version text NOT NULL, expires bigint, " +
        "metadata text, value text NOT NULL)",
      'CREATE TABLE kv (key text COLLATE "C" NOT NULL, version text NOT NULL, expires ' +
        "bigint, metadata text, value text NOT NULL)",
      "CREATE VIEW kv AS SELECT 1 AS key",
      "CREATE SEQUENCE kv",
      "CREATE TYPE kv AS ENUM ('a')",
    ]) {
      await sql(`DROP SCHEMA public CASCADE; CREATE SCHEMA public; ${schema}`);
      const store = storeOf();
      for (const task of [() => store.get("a"), () => store.set("a", 1), () => store.clear()]) {
        await expect(task(), schema).rejects.toMatchObject({
          code: "KV_INVALID_CLIENT",
          message: expect.stringContaining('"kv"'),
        });
      }
    }
  });

  it("needs a database in UTF-8", async () => {
    await sql("DROP DATABASE IF EXISTS latin");
    await sql("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
    const store = storeOf(
      {},
      new pg.Pool({ connectionString: server.url.replace(/anykv$/, "latin") }),
    );
    await expect(store.set("a", 1)).rejects.toMatchObject({
      code: "KV_INVALID_CLIENT",
      message: expect.stringContaining("LATIN1"),
    });
  });

  it("is made once by many at the same moment", async () => {
    for (let round = 0; round < 5; round++) {
      await sql("DROP TABLE IF EXISTS kv");
      const stores = Array.from({ length: 12 }, () => storeOf({}, pool({ max: 1 })));
      await Promise.all(stores.map((store, i) => store.set(`key ${i}`, i)));
      expect((await stores[0]!.keys()).length).toBe(12);
    }
  });

  it("is made again when it was dropped", async () => {
    const store = storeOf();
    for (const task of [
      () => store.set("a", 1),
      () => store.get("a"),
      () => store.keys(),
      () => store.setMany([["a", 1]]),
      () => store.commit([{ key: "a", version: null }], [{ key: "a", value: 1 }]),
      () =>
        store.commit(
          [],
          [
            { key: "a", value: 1 },
            { key: "b", value: 1 },
          ],
        ),
      () => store.clear(),
      () => store.prune(),
    ]) {
      await store.set("x", 1);
      await sql("DROP TABLE kv");
      await task();
    }
    await sql("DROP TABLE kv; CREATE TABLE kv (id int)");
    await expect(store.get("a")).rejects.toMatchObject({ code: "KV_CONNECTION" });
  });

  it("is read by those who may only read", async () => {
    await storeOf().set("a", 1);
    const readonly = storeOf({}, pool({ options: "-c default_transaction_read_only=on" }));
    expect(await readonly.all()).toEqual({ a: 1 });
    await expect(readonly.set("a", 2)).rejects.toMatchObject({
      code: "KV_CONNECTION",
      cause: expect.objectContaining({ code: "25006" }),
    });
  });

  it("leaves rows of others alone", async () => {
    const store = storeOf();
    await store.set("mine", 1, { expires: 0.001 });
    await sql(
      "INSERT INTO kv (key, version, expires, value) VALUES ('theirs', 'v1', 1, 'x'), " +
        "('p:theirs', 'v1', 1, 'x')",
    );
    await until("it has expired", async () => (await store.get("mine")) === null);
    await expect(store.get("theirs")).rejects.toMatchObject({ code: "KV_FOREIGN" });
    for (const writes of [
      [{ key: "theirs", value: 1 }],
      [{ key: "theirs", value: null }],
      [{ key: "other", value: 1 }],
      [],
    ]) {
      await expect(store.commit([{ key: "theirs", version: null }], writes)).rejects.toMatchObject({
        code: "KV_FOREIGN",
        key: "theirs",
      });
    }
    expect(await store.has("theirs")).toBe(false);
    expect(await store.keys()).toEqual([]);
    await store.prune();
    await store.prefix("p:").clear();
    await store.clear();
    expect((await sql("SELECT key FROM kv ORDER BY key")).map(({ key }) => key)).toEqual([
      "p:theirs",
      "theirs",
    ]);
    await sql(
      "UPDATE kv SET version = '0123456789abcdef0123', expires = NULL, value = '{' " +
        "WHERE key = 'theirs'",
    );
    await expect(store.get("theirs")).rejects.toMatchObject({ code: "KV_CORRUPT" });
  });
});

describe("keys", () => {
  it("are encoded one by one, in order, prefixes alike", () => {
    const parts = ["", "\0", "\u0001", "\u0002", "a", "é", "\u{10ffff}"];
    const keys = parts.flatMap((a) => parts.flatMap((b) => parts.map((c) => a + b + c)));
    for (const a of keys) {
      expect(unescapeKey(escapeKey(a))).toBe(a);
      for (const b of keys) {
        expect(escapeKey(a).startsWith(escapeKey(b))).toBe(a.startsWith(b));
        expect(
          Math.sign(Buffer.compare(Buffer.from(escapeKey(a)), Buffer.from(escapeKey(b)))),
        ).toBe(Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b))));
      }
    }
    expect([unescapeKey("\u0001x"), unescapeKey("\u0001"), unescapeKey("a\u0001\u0003")]).toEqual([
      null,
      null,
      null,
    ]);
  });

  it("have literal prefixes, by ranges of the index", async () => {
    const store = storeOf();
    const keys = [
      "a_1",
      "ab1",
      "a%1",
      "A_1",
      "user:1",
      "USER:1",
      "User:1",
      "a\\1",
      "*1",
      "é1",
      "É1",
      "e\u03011",
      "\u00001",
      "\u00011",
    ];
    await store.setMany(keys.map((key) => [key, key]));
    for (const prefix of ["a_", "a%", "user:", "a\\", "*", "é", "%", "_", "\0", "\u0001"]) {
      expect(await store.prefix(prefix).values()).toEqual(
        keys.filter((key) => key.startsWith(prefix)),
      );
    }
    await store.prefix("a_").clear();
    await store.prefix("user:").clear();
    expect((await store.keys()).sort()).toEqual(
      keys.filter((key) => key !== "a_1" && key !== "user:1").sort(),
    );
  });

  it("fill the index with every kind of key", async () => {
    const store = storeOf();
    for (const key of [
      "\0".repeat(1300),
      "\u0001".repeat(1300),
      Array.from({ length: 650 }, (_, i) => String.fromCodePoint(0x80 + ((i * 7919) % 1800))).join(
        "",
      ),
    ]) {
      await store.set(key, 1);
      expect(await store.keys()).toEqual([key]);
      await store.clear();
    }
    await expect(store.set("x".repeat(1301), 1)).rejects.toMatchObject({ code: "KV_TOO_LARGE" });
  });
});

describe("statements", () => {
  const pairs = Array.from({ length: 1000 }, (_, i): [string, number] => [
    `key ${String(i).padStart(4, "0")}`,
    i,
  ]);

  it("are one for many keys", async () => {
    const client = pool();
    const store = storeOf({}, client);
    await store.get("a");
    expect(await statementsOf(client, () => store.setMany(pairs))).toHaveLength(1);
    expect(
      await statementsOf(client, async () =>
        expect(await store.getMany(pairs.map(([key]) => key))).toEqual(
          pairs.map(([, value]) => value),
        ),
      ),
    ).toHaveLength(1);
    expect(
      await statementsOf(client, () =>
        store.setMany([
          ["key 0000", null],
          ["new", 1],
          ["key 0001", 2],
        ]),
      ),
    ).toHaveLength(1);
    expect(await store.getMany(["key 0000", "new", "key 0001", "key 0002", "key 0002"])).toEqual([
      null,
      1,
      2,
      2,
      2,
    ]);
    // 500, and the rest while those are taken apart: good for a moment only, which may be over
    // here.
    const clock = vi.spyOn(performance, "now").mockReturnValue(performance.now());
    expect(
      await statementsOf(client, async () => expect((await store.keys()).length).toBe(1000)),
    ).toHaveLength(2);
    clock.mockRestore();
    expect(await statementsOf(client, () => store.list({ limit: 10 }))).toHaveLength(1);
    expect(
      await statementsOf(client, () =>
        store.commit([{ key: "a", version: null }], [{ key: "a", value: 1 }]),
      ),
    ).toHaveLength(1);
    expect(
      await statementsOf(client, () =>
        store.commit(
          [
            { key: "b", version: null },
            { key: "c", version: null },
          ],
          [
            { key: "b", value: 1 },
            { key: "c", value: 1 },
          ],
        ),
      ),
    ).toHaveLength(1);
    expect(await statementsOf(client, () => store.delMany(pairs.map(([key]) => key)))).toHaveLength(
      1,
    );
    expect(await statementsOf(client, () => store.clear())).toHaveLength(1);
  });

  it("use the indexes", async () => {
    const store = storeOf();
    for (let i = 0; i < 20; i++)
      await store.setMany(
        Array.from({ length: 1000 }, (_, j) => [`p${i}:${j}`, j]),
        i === 3 ? { expires: 1000 } : {},
      );
    await sql("ANALYZE kv");
    const plans: string[] = [];
    const client = pool({ max: 1 });
    const explained = storeOf({}, client);
    await explained.get("a");
    intercept(client, async (query, ask) => {
      const { rows } = await ask({ ...query, text: `EXPLAIN ${query.text}` });
      plans.push(rows.flat().join("\n"));
      return { rows: [] };
    });
    await explained.get("a");
    await explained.getMany(["p3:1", "p4:1"]);
    await explained.prefix("p3:").list({ limit: 10 });
    await explained.prefix("p3:").list({ limit: 10, reverse: true });
    await explained.prefix("p3:").keys();
    await explained.setMany([
      ["p3:1", 1],
      ["p4:1", null],
    ]);
    await explained.delMany(["p3:1", "p4:1"]);
    await explained.prune().catch(() => {});
    for (const plan of plans) {
      expect(plan).not.toContain("Seq Scan");
      expect(plan).toContain("Index");
      // A list that is first made by the statement itself has an unknown length, and is searched
      // from its start for each row.
      expect(plan).not.toContain(")::text[]");
    }
    expect(plans.length).toBe(8);
    expect(plans[7]).toContain("kv_expires_idx");
  });

  it("read pages that are bounded by bytes too", async () => {
    const client = pool();
    const store = storeOf({}, client);
    const value = "é".repeat(300_000);
    for (let i = 0; i < 10; i++) await store.set(`key ${i}`, value);
    let largest = 0;
    intercept(client, async (query, ask) => {
      const result = await ask(query);
      largest = Math.max(largest, result.rows.flat().join("").length);
      return result;
    });
    const found: string[] = [];
    for await (const [key, text] of store) if ((text as string).length === 300_000) found.push(key);
    expect(found).toEqual(Array.from({ length: 10 }, (_, i) => `key ${i}`));
    expect(largest).toBeGreaterThan(300_000);
    expect(largest).toBeLessThan(700_000);
    expect((await store.list({ reverse: true, limit: 7 })).entries.length).toBe(7);
  });

  it("do not depend on the user's type parsers, isolation or settings", async () => {
    const types = { getTypeParser: () => () => "parsed" };
    const settings = [
      "-c default_transaction_isolation=serializable",
      "-c standard_conforming_strings=off",
      "-c extra_float_digits=0 -c datestyle=German",
      "-c default_transaction_isolation=repeatable\\ read",
    ];
    for (const options of [
      { types },
      { binary: true },
      ...settings.map((options) => ({ options })),
    ]) {
      await sql("DROP TABLE IF EXISTS kv");
      const store = storeOf({}, pool(options));
      await store.set("a\\'", { x: "\\ ' \" {} é 🙂 \0 \ud800" }, { expires: "1h", metadata: [1] });
      await store.setMany([
        ["b", "\\"],
        ["c,{}", 'x"y'],
      ]);
      const entry = (await store.entry("a\\'"))!;
      expect(entry.value).toEqual({ x: "\\ ' \" {} é 🙂 \0 \ud800" });
      expect(entry.expires).toBeGreaterThan(Date.now());
      const writes = [
        { key: "a\\'", value: ["\\'"], metadata: "\\" },
        { key: "new\\\n'\"$1$$", value: "$anykv$ \\ ' {,} \0" },
        { key: "b", value: null },
      ];
      expect(
        (
          await store.commit(
            [
              { key: "a\\'", version: entry.version },
              { key: "none\\'\0", version: null },
            ],
            writes,
          )
        ).ok,
      ).toBe(true);
      expect(
        await store.commit(
          [
            { key: "a\\'", version: entry.version },
            { key: "none\\'\0", version: "\0'" },
          ],
          [],
        ),
      ).toEqual({ ok: false, failed: ["a\\'", "none\\'\0"] });
      expect(await store.all()).toEqual({
        "a\\'": ["\\'"],
        "c,{}": 'x"y',
        "new\\\n'\"$1$$": "$anykv$ \\ ' {,} \0",
      });
      const count = async (): Promise<void> => {
        for (;;) {
          const found = await store.entry<number>("count");
          if (
            (
              await store.commit(
                [{ key: "count", version: found?.version ?? null }],
                [{ key: "count", value: (found?.value ?? 0) + 1 }],
              )
            ).ok
          )
            return;
        }
      };
      await Promise.all(Array.from({ length: 10 }, count));
      expect(await store.get("count")).toBe(10);
    }
  });
});

describe("commit", () => {
  it("takes 100 checks and 1,000 writes, all or none", async () => {
    const store = storeOf();
    const checks = Array.from({ length: 100 }, (_, i) => ({ key: `check ${i}`, version: null }));
    const writes = Array.from({ length: 1000 }, (_, i) => ({ key: `write ${i}`, value: i }));
    expect((await store.commit(checks, writes)).ok).toBe(true);
    await store.set("check 7", 1);
    expect(
      await store.commit(
        checks,
        writes.map((write) => ({ ...write, value: null })),
      ),
    ).toEqual({ ok: false, failed: ["check 7"] });
    expect((await store.keys()).length).toBe(1001);
  });

  it("of keys in any order never ends in a deadlock, and none is lost", async () => {
    const stores = [storeOf(), storeOf()];
    const keys = Array.from({ length: 8 }, (_, i) => `key ${i}`);
    let made = 0;
    const work = async (store: Store, i: number): Promise<void> => {
      for (let n = 0; n < 15; n++) {
        const some = [...keys].sort(() => Math.random() - 0.5).slice(0, 4);
        if (i % 4 === 3) {
          await store.setMany(some.map((key) => [`other ${key}`, n % 3 === 0 ? null : n]));
          continue;
        }
        const entries = await Promise.all(some.map((key) => store.entry<number>(key)));
        const { ok } = await store.commit(
          some.map((key, i) => ({ key, version: entries[i]?.version ?? null })),
          [
            ...some.map((key, i) => ({ key, value: (entries[i]?.value ?? 0) + 1 })),
            ...some.map((key) => ({ key: `other ${key}`, value: n })),
          ],
        );
        if (ok) made++;
      }
    };
    await Promise.all(Array.from({ length: 16 }, (_, i) => work(stores[i % 2]!, i)));
    const values = await stores[0]!.getMany<number>(keys);
    expect(values.reduce<number>((sum, value) => sum + (value ?? 0), 0)).toBe(made * 4);
    expect(made).toBeGreaterThan(0);
  });

  it("sees writes in between: two checks of absent keys never both succeed", async () => {
    const stores = [storeOf(), storeOf()];
    for (let round = 0; round < 40; round++) {
      const [a, b] = [`a${round}`, `b${round}`];
      // Each checks what the other writes.
      const results = await Promise.all([
        stores[0]!.commit(
          [
            { key: a, version: null },
            { key: "x", version: null },
          ],
          [{ key: b, value: 1 }],
        ),
        stores[1]!.commit(
          [
            { key: b, version: null },
            { key: "y", version: null },
          ],
          [{ key: a, value: 2 }],
        ),
      ]);
      expect(results.filter(({ ok }) => ok).length).toBe(1);
      // Both check and write the same two.
      const pairs = [`c${round}`, `d${round}`];
      const both = await Promise.all(
        stores.map((store, i) => {
          const keys = i === 0 ? pairs : [...pairs].reverse();
          return store.commit(
            keys.map((key) => ({ key, version: null })),
            keys.map((key) => ({ key, value: i })),
          );
        }),
      );
      expect(both.filter(({ ok }) => ok).length).toBe(1);
      const values = await stores[0]!.getMany(pairs);
      expect(values[0]).toBe(values[1]);
    }
  });

  it("never overwrites a plain write that came between its check and its write", async () => {
    const stores = [storeOf(), storeOf()];
    for (let round = 0; round < 60; round++) {
      const keys = [`k${round}`, `l${round}`];
      const [result] = await Promise.all([
        stores[0]!.commit(
          keys.map((key) => ({ key, version: null })),
          keys.map((key) => ({ key, value: "commit" })),
        ),
        stores[1]!.set(keys[1]!, "set"),
      ]);
      expect(await stores[0]!.getMany(keys)).toEqual(result.ok ? ["commit", "set"] : [null, "set"]);
    }
  });

  it("waits for writers of its keys, and sees their values", async () => {
    const store = storeOf();
    const row = "('0123456789abcdef0123', NULL, NULL, '\"theirs\"')";
    const isWaiting = async (): Promise<boolean> =>
      (
        await sql(
          "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = 'anykv'",
        )
      ).length > 0;
    const theirs: [before: unknown, statement: string, after: unknown][] = [
      [
        null,
        `INSERT INTO kv (key, version, expires, metadata, value) VALUES ('b', ${row.slice(1)}`,
        "theirs",
      ],
      [
        "before",
        `UPDATE kv SET (version, expires, metadata, value) = ROW${row} WHERE key = 'b'`,
        "theirs",
      ],
      ["before", "DELETE FROM kv WHERE key = 'b'", null],
    ];
    for (const [before, statement, after] of theirs) {
      for (const others of [[], ["a", "c"]]) {
        await store.clear();
        await store.set("b", before);
        const version = (await store.entry("b"))?.version ?? null;
        const other = await admin.connect();
        await other.query("BEGIN");
        await other.query(statement);
        const committing = store.commit(
          [{ key: "b", version }, ...others.map((key) => ({ key, version: null }))],
          ["b", ...others].map((key) => ({ key, value: "ours" })),
        );
        await until("the commit waits", isWaiting);
        await other.query("COMMIT");
        other.release();
        expect(await committing).toEqual({ ok: false, failed: ["b"] });
        expect(await store.all()).toEqual(after === null ? {} : { b: after });
      }
    }
  });

  it("locks keys that it only checks: other writers wait for it", async () => {
    // Two clients: over one, the write would wait for the commit before it reaches the database.
    const [store, another] = [storeOf(), storeOf()];
    const waiting = async (): Promise<number> =>
      (
        await sql(
          "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = 'anykv'",
        )
      ).length;
    await Promise.all([store.set("a", 1), another.get("a")]);
    for (const state of ["absent", "expired"]) {
      for (const writes of [
        [{ key: "b", value: "ours" }],
        [
          { key: "b", value: "ours" },
          { key: "lock", value: null },
        ],
      ]) {
        await sql("DELETE FROM kv");
        if (state === "expired")
          await sql("INSERT INTO kv VALUES ('lock', '0123456789abcdef0123', 1, NULL, '0')");
        const rows = await sql("SELECT key, version FROM kv");
        const other = await admin.connect();
        await other.query(
          "BEGIN; INSERT INTO kv VALUES ('b', '0123456789abcdef0123', NULL, NULL, '0')",
        );
        const committing = store.commit([{ key: "lock", version: null }], writes);
        await until("the commit waits", async () => (await waiting()) === 1);
        let isSet = false;
        const setting = another.set("lock", 2).then(() => (isSet = true));
        await until("the other waits or has written", async () => isSet || (await waiting()) === 2);
        expect(isSet).toBe(false);
        expect(await sql("SELECT key, version FROM kv")).toEqual(rows);
        await other.query("ROLLBACK");
        other.release();
        expect((await committing).ok).toBe(true);
        await setting;
        expect(await store.all()).toEqual({ b: "ours", lock: 2 });
        expect(
          (
            await store.commit(
              [
                { key: "none", version: null },
                { key: "lock", version: null },
              ],
              writes,
            )
          ).ok,
        ).toBe(false);
        expect(
          (await store.commit([{ key: "none", version: null }], [{ key: "c", value: 1 }])).ok,
        ).toBe(true);
        expect(await sql("SELECT key FROM kv ORDER BY key")).toEqual([
          { key: "b" },
          { key: "c" },
          { key: "lock" },
        ]);
      }
    }
  });

  it("takes 20,000 keys, which a server has no locks for", async () => {
    const store = storeOf();
    const keys = Array.from({ length: 20_000 }, (_, i) => `key ${i}`);
    expect(
      (
        await store.commit(
          keys.slice(0, 10_000).map((key) => ({ key, version: null })),
          keys.map((key) => ({ key, value: 1 })),
        )
      ).ok,
    ).toBe(true);
    expect(
      await store.commit(
        keys.map((key) => ({ key, version: null })),
        [{ key: "a", value: 1 }],
      ),
    ).toMatchObject({ ok: false, failed: expect.objectContaining({ length: 20_000 }) });
    expect(
      (
        await store.commit(
          keys.map((key) => ({ key: `no ${key}`, version: null })),
          [{ key: "a", value: 1 }],
        )
      ).ok,
    ).toBe(true);
    expect((await sql("SELECT count(*)::int FROM kv"))[0]).toEqual({ count: 20_001 });
  });

  it("counts through a Pool and a Client at once", async () => {
    const stores = [storeOf(), storeOf({}, new pg.Client({ connectionString: server.url }))];
    const raise = async (store: Store): Promise<void> => {
      for (let done = 0; done < 40;) {
        const entry = await store.entry<number>("count");
        if (
          (
            await store.commit(
              [{ key: "count", version: entry?.version ?? null }],
              [{ key: "count", value: (entry?.value ?? 0) + 1, expires: "1h" }],
            )
          ).ok
        )
          done++;
      }
    };
    await Promise.all([...stores, ...stores].map(raise));
    expect(await stores[0]!.get("count")).toBe(160);
  });
});

describe("a Client", () => {
  const client = () => new pg.Client({ connectionString: server.url });

  it("is connected when it is not, and left alone when it is or is about to", async () => {
    const [fresh, connected, underway] = [client(), client(), client()];
    await connected.connect();
    const connecting = underway.connect();
    for (const each of [fresh, connected, underway]) {
      const stores = [storeOf({}, each), kv(each)];
      await Promise.all(stores.map((store, i) => store.set(`key ${i}`, 1)));
      expect(each.listenerCount("error")).toBe(1);
    }
    await connecting;
    const promised = kept(kv(Promise.resolve(fresh)));
    expect(await promised.get("key 0")).toBe(1);
  });

  it("is one connection: 1,000 writes at once take turns, without a warning", async () => {
    const warnings: unknown[] = [];
    const listen = (warning: unknown): void => void warnings.push(warning);
    process.on("warning", listen);
    const store = storeOf({}, client());
    await Promise.all(Array.from({ length: 1000 }, (_, i) => store.set(`key ${i}`, i)));
    expect((await store.keys()).length).toBe(1000);
    await sleep(0);
    process.off("warning", listen);
    expect(warnings).toEqual([]);
  });

  it("keeps the transaction that its owner has open", async () => {
    const own = client();
    const store = storeOf({}, own);
    await store.setMany([
      ["before", 1],
      ["other", 1],
    ]);
    await own.query("BEGIN");
    await store.set("a", 1);
    expect(
      (
        await store.commit(
          [{ key: "a", version: (await store.entry("a"))!.version }],
          [{ key: "a", value: 2 }],
        )
      ).ok,
    ).toBe(true);
    expect(
      (
        await store.commit(
          [
            { key: "b", version: null },
            { key: "before", version: null },
          ],
          [{ key: "b", value: 2 }],
        )
      ).ok,
    ).toBe(false);
    expect(
      (
        await store.commit(
          [
            { key: "b", version: null },
            { key: "c", version: null },
          ],
          [
            { key: "b", value: 2 },
            { key: "other", value: null },
          ],
        )
      ).ok,
    ).toBe(true);
    await store.setMany([
      ["d", 1],
      ["before", null],
    ]);
    expect(await store.keys()).toEqual(["a", "b", "d"]);
    expect(await storeOf().all()).toEqual({ before: 1, other: 1 });
    await own.query("ROLLBACK");
    expect(await store.all()).toEqual({ before: 1, other: 1 });
  });

  it("makes the table in that transaction, and again when it was rolled back", async () => {
    const own = client();
    await own.connect();
    await own.query("BEGIN");
    const store = storeOf({}, own);
    await store.set("a", 1);
    await own.query("ROLLBACK");
    expect(await store.get("a")).toBe(null);
    await store.set("a", 2);
    expect(await store.all()).toEqual({ a: 2 });
  });

  it("that was taken out of a pool goes back to it", async () => {
    const source = pool({ max: 1 });
    const store = kv((await source.connect()) as object as Client);
    await store.set("a", 1);
    await store.close();
    expect((await source.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
    await source.end();
  });

  it("cannot connect again: it says so, with the reason", async () => {
    const own = client();
    const store = storeOf({}, own);
    await store.set("a", 1);
    const [{ pid }] = (await own.query("SELECT pg_backend_pid() AS pid")).rows as [{ pid: number }];
    const waiting = store
      .commit([], [{ key: "a", value: "x".repeat(100) }])
      .catch((error: unknown) => error);
    await sql("SELECT pg_terminate_backend($1)", [pid]);
    await waiting;
    await until("it has ended", async () =>
      store.get("a").then(
        () => false,
        () => true,
      ),
    );
    for (const task of [
      () => store.get("a"),
      () => store.set("a", 1),
      () => store.keys(),
      () => kv(own).get("a"),
    ]) {
      await expect(task()).rejects.toMatchObject({
        code: "KV_CONNECTION",
        message: expect.stringContaining("pass a Pool"),
      });
    }
    expect(await storeOf().has("a")).toBe(true);
  });

  it("with a wrong password, or ended by its owner, is KV_CONNECTION", async () => {
    const wrong = storeOf({}, new pg.Client({ connectionString: server.withPassword("wrong") }));
    for (const _ of [1, 2, 3]) {
      const error = (await wrong.get("a").catch((error: unknown) => error)) as Error;
      expect(error).toMatchObject({ code: "KV_CONNECTION" });
      expect(`${error} ${String(error.cause)}`).not.toContain(PASSWORD);
    }
    const ended = client();
    const store = storeOf({}, ended);
    await store.set("a", 1);
    await ended.end();
    await expect(store.get("a")).rejects.toMatchObject({ code: "KV_CONNECTION" });
  });
});

describe("a Pool", () => {
  it("gets one listener for all stores, and no crash from an idle connection", async () => {
    const client = pool();
    for (let i = 0; i < 5; i++)
      await storeOf({ table: `t${i}` }, client)
        .set("a", 1)
        .then(() => open.pop());
    expect(client.listenerCount("error")).toBe(1);
    await sql(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> " +
        "pg_backend_pid() AND datname = 'anykv'",
    ).catch(() => {});
    const store = storeOf({}, client);
    await until("it works again", () =>
      store.set("a", 1).then(
        () => true,
        () => false,
      ),
    );
  });

  it("recovers from 200 queries that a stopped server does not answer", async () => {
    const store = kv(pool(), { timeout: "300ms" });
    await store.set("a", 1);
    server.pause();
    const results = await Promise.all(
      Array.from({ length: 200 }, (_, i) =>
        store.set(`key ${i}`, i).then(
          () => "done",
          (error: { code: string }) => error.code,
        ),
      ),
    );
    server.resume();
    expect(new Set(results)).toEqual(new Set(["KV_CONNECTION"]));
    await until("it works again", () =>
      store.set("a", 2).then(
        () => true,
        () => false,
      ),
    );
    await until(
      "no connection is taken",
      async () =>
        (
          await sql(
            "SELECT count(*)::int AS busy FROM pg_stat_activity WHERE state = 'active' " +
              "AND pid <> pg_backend_pid() AND datname = 'anykv'",
          )
        )[0]!.busy === 0,
    );
    expect(await store.get("a")).toBe(2);
    await store.close();
  });

  it("is closed in a moment, also while the server is stopped", async () => {
    const store = kv(pool(), { timeout: "200ms" });
    await until("the store works", () =>
      store.set("a", 1).then(
        () => true,
        () => false,
      ),
    );
    server.pause();
    const waiting = store.set("a", 2).catch((error: { code: string }) => error.code);
    await store.close().catch(() => {});
    server.resume();
    expect(await waiting).toBe("KV_CLOSED");
  });

  it("says when there is no room", async () => {
    const store = storeOf();
    await sql("DROP TABLE IF EXISTS kv");
    await store.get("a");
    for (const [state, code] of [
      ["53100", "KV_QUOTA"],
      ["53200", "KV_QUOTA"],
      ["54000", "KV_TOO_LARGE"],
      ["42501", "KV_CONNECTION"],
    ]) {
      await sql(
        "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ " +
          `BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '${state}'; END $$; CREATE OR ` +
          "REPLACE TRIGGER refuse BEFORE INSERT ON kv EXECUTE FUNCTION refuse()",
      );
      await expect(store.set("a", 1)).rejects.toMatchObject({
        code,
        cause: expect.objectContaining({ code: state }),
      });
      await expect(
        store.commit(
          [],
          [
            { key: "a", value: 1 },
            { key: "b", value: 1 },
          ],
        ),
      ).rejects.toMatchObject({ code });
      if (state === "53200")
        await expect(store.set("a", 1)).rejects.toMatchObject({
          message: expect.stringContaining("max_locks_per_transaction"),
        });
    }
  });

  it("does not end the program when an idle connection breaks early", async () => {
    const client = pool();
    const connection = await client.connect();
    const [{ pid }] = (await connection.query("SELECT pg_backend_pid() AS pid")).rows as [
      { pid: number },
    ];
    connection.release();
    const store = kept(kv(client));
    expect(client.listenerCount("error")).toBe(1);
    await sql("SELECT pg_terminate_backend($1)", [pid]);
    await until("it is broken", () => client.totalCount === 0);
    await store.set("a", 1);
    expect(client.listenerCount("error")).toBe(1);
  });

  it("lets the program end that closed its store", () => {
    for (const kind of ["Pool", "Client"]) {
      const script =
        `import pg from "pg"; import kv from ` +
        `${JSON.stringify(join(import.meta.dirname, "../../../src/index.ts"))}; const ` +
        `store = kv(new pg.${kind}({ connectionString: ${JSON.stringify(server.url)} })); ` +
        `await store.set("a", 1, { expires: "1h" }); await store.keys(); await ` +
        "store.close();";
      const { status, stderr } = spawnSync(
        process.execPath,
        ["--input-type=module-typescript", "-e", script],
        { cwd: join(import.meta.dirname, "../../.."), timeout: 20_000, encoding: "utf8" },
      );
      expect([status, stderr.replace(/.*Warning.*\n/g, "")]).toEqual([0, ""]);
    }
  });
});

describe("close()", () => {
  it("is one for all stores over a client, and leaves an ended client alone", async () => {
    for (const client of [pool(), new pg.Client({ connectionString: server.url })]) {
      const stores = [kv(postgres(client)), kv(postgres(client, { table: "other" })), kv(client)];
      for (const store of stores) await store.set("a", 1);
      await Promise.all(stores.map((store) => store.close()));
      await expect(stores[0]!.get("a")).rejects.toMatchObject({ code: "KV_CLOSED" });
    }
    for (const client of [pool(), new pg.Client({ connectionString: server.url })]) {
      for (const isAwaited of [true, false]) {
        const store = kv(postgres(client));
        if (isAwaited) await store.set("a", 1);
        const ended = isAwaited ? client.end() : undefined;
        await store.close();
        await ended;
      }
    }
  });

  it("connects for the first operation only, and ends a client with a foreign table", async () => {
    await sql("CREATE TABLE other (id int)");
    const busy = async (): Promise<number> =>
      (
        await sql(
          "SELECT count(*)::int AS busy FROM pg_stat_activity WHERE application_name = 'closing'",
        )
      )[0]!.busy as number;
    const options = { connectionString: server.url, application_name: "closing" };
    for (const of of [() => new pg.Pool(options), () => new pg.Client(options)]) {
      const fresh = of();
      let connections = 0;
      (fresh as { on(event: string, listen: () => void): void }).on("connect", () => connections++);
      await kv(fresh).close();
      expect([connections, await sql("SELECT to_regclass('kv') AS kv")]).toEqual([
        0,
        [{ kv: null }],
      ]);
      const store = kv(postgres(of(), { table: "other" }));
      await expect(store.get("a")).rejects.toMatchObject({ code: "KV_INVALID_CLIENT" });
      expect(await busy()).toBe(1);
      await store.close();
      await until("its connection has ended", async () => (await busy()) === 0);
      const impossible = of();
      const connection = (await impossible.connect()) as { release?(): void } | undefined;
      connection?.release?.();
      await kv(postgres(impossible, { table: "" })).close();
    }
    await until("all connections have ended", async () => (await busy()) === 0);
  });

  it("settles 300 pending operations, with every timeout", async () => {
    for (const timeout of ["5s", 0]) {
      for (const of of [
        () => pool({ max: 2 }),
        () => new pg.Client({ connectionString: server.url }),
      ]) {
        for (const isUsed of [true, false]) {
          const store = kv(of(), { timeout });
          if (isUsed) await store.set("a", 1);
          const work = Array.from({ length: 300 }, (_, i) =>
            i % 3 === 0
              ? store.get(`key ${i}`)
              : i % 3 === 1
                ? store.set(`key ${i}`, i)
                : store.commit(
                    [
                      { key: `key ${i}`, version: null },
                      { key: "none", version: null },
                    ],
                    [{ key: `key ${i}`, value: i }],
                  ),
          );
          const [closed, ...results] = await Promise.allSettled([store.close(), ...work]);
          expect(closed.status).toBe("fulfilled");
          for (const result of results)
            if (result.status === "rejected")
              expect(result.reason).toMatchObject({ code: "KV_CLOSED" });
          await sql("TRUNCATE kv");
        }
      }
    }
  });

  it("lets those go who wait for a connection that its owner has", async () => {
    const client = pool({ max: 1 });
    const store = kv(client, { timeout: "600ms" });
    await store.set("a", 1);
    const own = await client.connect();
    const patient = kv(postgres(client), { timeout: 0 });
    const waiting = patient.get("a").catch((error: { code: string }) => error.code);
    await store.close().catch(() => {});
    expect(await waiting).toBe("KV_CONNECTION");
    expect((await own.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
    own.release();
    await patient.close();
  });

  it("lets the program end though the server is silent", async () => {
    await endsWhilePaused(server, ["POSTGRES", "POSTGRES CLIENT"]);
  });
});

describe("expired rows", () => {
  it("leave through the index, a few with each sweep, all by prune()", async () => {
    const store = storeOf();
    await store.setMany(
      Array.from({ length: 300 }, (_, i) => [`gone ${i}`, i]),
      { expires: 0.001 },
    );
    await store.set("stays", 1, { expires: "1h" });
    for (let i = 0; i < 130; i++) await store.set("other", i);
    const left = Number((await sql("SELECT count(*) FROM kv"))[0]!.count);
    expect(left).toBeLessThanOrEqual(302 - 128);
    expect(await store.prune()).toBe(left - 2);
    expect(await store.keys()).toEqual(["other", "stays"]);
  });

  it("that others are about to rewrite are left to them", async () => {
    const store = storeOf();
    await store.setMany(
      [
        ["a", 1],
        ["b", 1],
      ],
      { expires: 0.001 },
    );
    const deadline = Date.now() + 1;
    const other = await admin.connect();
    await other.query("BEGIN");
    await other.query("UPDATE kv SET expires = NULL WHERE key = 'a'");
    await until("both have expired", () => Date.now() > deadline);
    expect(await store.prune()).toBe(1);
    await other.query("COMMIT");
    other.release();
    expect(await store.keys()).toEqual(["a"]);
  });
});

describe("reading ahead", () => {
  afterEach(() => vi.restoreAllMocks());

  it("shows the writes of the one who iterates", () => seesItsOwnWrites(storeOf()));

  const all = Array.from({ length: 12_000 }, (_, i) => String(i).padStart(5, "0"));
  const query = (after: string | null, limit = 500): PageQuery => ({
    prefix: "",
    after,
    limit,
    reverse: false,
    values: true,
  });
  function source(): {
    ahead: ReadAhead<string>;
    reads: number[];
    pass: (ms: number) => void;
    fail: (times: number) => void;
  } {
    const reads: number[] = [];
    let now = 0;
    vi.spyOn(performance, "now").mockImplementation(() => now);
    let failures = 0;
    const read = async ({ after, limit }: PageQuery) => {
      reads.push(limit);
      await sleep(0);
      if (failures-- > 0) throw new Error("down");
      const start = after === null ? 0 : all.indexOf(after) + 1;
      return { rows: all.slice(start, start + limit), more: start + limit < all.length };
    };
    return {
      ahead: new ReadAhead(read, (row) => row),
      reads,
      pass: (ms) => (now += ms),
      fail: (times) => (failures = times),
    };
  }

  it("gives everything once, in pages, by few reads", async () => {
    const { ahead, reads } = source();
    const found: string[] = [];
    for (let after: string | null = null, more = true; more; after = found.at(-1)!) {
      const part = await ahead.page(query(after));
      expect(part.rows.length).toBeLessThanOrEqual(500);
      found.push(...part.rows);
      ({ more } = part);
    }
    expect(found).toEqual(all);
    expect(reads).toEqual([500, 2000, 4000, 4000, 4000]);
  });

  it("reads again after a pause, a foreign cursor or a failure", async () => {
    const { ahead, reads, pass, fail } = source();
    await ahead.page(query(null));
    pass(51);
    expect((await ahead.page(query("00499"))).rows[0]).toBe("00500");
    expect((await ahead.page(query("00100"))).rows[0]).toBe("00101");
    expect(reads).toEqual([500, 2000, 500, 2000, 500, 2000]);
    await sleep(5);
    fail(1);
    await ahead.page(query("00999")).catch(() => {});
    const { rows } = await ahead.page(query("00999"));
    fail(1);
    expect(rows.length).toBe(500);
    await sleep(5);
    expect((await ahead.page(query("01499"))).rows[0]).toBe("01500");
  });

  it("leaves single pages alone", async () => {
    const { ahead, reads } = source();
    await ahead.page(query(null, 101));
    await ahead.page(query("00100", 101));
    expect(reads).toEqual([101, 101]);
  });
});
