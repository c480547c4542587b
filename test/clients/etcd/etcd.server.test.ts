import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { Etcd3 } from "etcd3";
import { afterAll, afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { etcd } from "../../../src/clients/etcd/index.ts";
import kv, { type Store } from "../../../src/index.ts";
import { leaseEnd } from "../../../src/clients/etcd/leases.ts";
import { isFull } from "../../support/runs.ts";
import { etcdServer } from "../../support/etcd-server.ts";
import { seesItsOwnWrites } from "../../suites/own-writes.ts";
import { endsWhilePaused } from "../../support/paused.ts";
import { PATIENT } from "../../support/patient.ts";

const [server, small] = await Promise.all([
  etcdServer(),
  etcdServer(1, ["--quota-backend-bytes", "1000000"]),
]);
afterAll(() => Promise.all([server.remove(), small.remove()]));

const bytes = (text: string): Buffer => Buffer.from(text);
let client: Etcd3;
let store: Store;
beforeEach(async () => {
  client = new Etcd3({ hosts: server.url });
  await client.delete().all();
  store = kv(client, PATIENT);
});
afterEach(() => store.close());

/** How many calls of each method the server has seen. */
async function calls(): Promise<{ [method: string]: number }> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  return Object.fromEntries(
    [
      ...text.matchAll(
        /^grpc_server_started_total\{grpc_method="(\w+)",grpc_service="etcdserverpb\.\S* (\d+)$/gm,
      ),
    ].map(([, method, count]) => [method, Number(count)]),
  );
}

/** How many calls the server sees while something is done. */
async function callsOf(work: () => Promise<unknown>): Promise<{ [method: string]: number }> {
  const before = await calls();
  await work();
  const after = await calls();
  return Object.fromEntries(
    Object.entries(after)
      .map(([method, count]) => [method, count - before[method]!])
      .filter(([, count]) => count !== 0),
  );
}

const leaseOf = async (key: string): Promise<string> =>
  (await client.get(key).exec()).kvs[0]!.lease;
const secondsOf = async (id: string): Promise<number> =>
  Number((await client.leaseClient.leaseTimeToLive({ ID: id })).TTL);
const leases = async (): Promise<number> => (await client.leaseClient.leaseLeases()).leases.length;

interface Pool {
  withConnection(
    service: string,
    work: (connection: { client: { [method: string]: unknown } }) => Promise<unknown>,
  ): Promise<unknown>;
}
const poolOf = (of: Etcd3): Pool => (of as unknown as { pool: Pool }).pool;

/**
 * Lets the server carry out the next call and loses its answer; something may happen before it is
 * tried again.
 */
function loseAnswer(of: Etcd3, happen: () => Promise<unknown> = async () => {}): void {
  const pool = poolOf(of);
  const real = pool.withConnection;
  pool.withConnection = async (service, work) => {
    pool.withConnection = real;
    await real.call(pool, service, work);
    await happen();
    throw Object.assign(new Error("14 UNAVAILABLE: Connection dropped"), { code: 14 });
  };
}

describe("the stored records", () => {
  it("is one readable text a key", async () => {
    await store.set("key", { a: [1] }, { metadata: "m", expires: new Date("2999-01-01") });
    const text = (await client.get("key").string())!;
    expect(text.replace(/"[0-9a-f]{20}"/, '"…"')).toBe(
      '{"kv":1,"version":"…","expires":32472144000000,"metadata":"m","value":{"a":[1]}}',
    );
  });

  it("has the revision as its version, in every way to see it", async () => {
    await store.set("a", 1);
    const { mod_revision } = (await client.get("a").exec()).kvs[0]!;
    const version = Number(mod_revision).toString(16).padStart(20, "0");
    expect((await store.entry("a"))!.version).toBe(version);
    expect((await store.list()).entries[0]!.version).toBe(version);
    const result = await store.commit(
      [{ key: "a", version }],
      [
        { key: "a", value: 2 },
        { key: "b", value: 2, expires: "1h" },
      ],
    );
    expect(result).toEqual({ ok: true, version: (await store.entry("a"))!.version });
    expect((await store.entry("b"))!.version).toBe((await store.entry("a"))!.version);
  });

  it("takes no version of another store for its own", async () => {
    await store.set("a", 1);
    for (const version of [
      "0".repeat(20),
      "f".repeat(20),
      "0d0fd51349f003f6dc81",
      "x",
      "",
      "\0",
      "-1",
      "1",
    ]) {
      expect(
        await store.commit(
          [
            { key: "a", version },
            { key: "none", version },
          ],
          [],
        ),
      ).toEqual({ ok: false, failed: ["a", "none"] });
    }
  });
});

describe("leases", () => {
  it("are set for deadlines, last until then, and go with touch(key, null)", async () => {
    for (const [expires, most] of [
      ["3s", 4],
      ["90s", 92],
      ["1h", 3700],
      ["30d", 2_700_000],
    ] as const) {
      await store.set("key", 1, { expires });
      const { expires: deadline } = (await store.entry("key"))!;
      const left = await secondsOf(await leaseOf("key"));
      expect(left).toBeGreaterThanOrEqual(Math.floor((deadline! - Date.now()) / 1000));
      expect(left).toBeLessThanOrEqual(most);
    }
    await store.touch("key", "1y");
    expect(await secondsOf(await leaseOf("key"))).toBeGreaterThan(31_000_000);
    await store.touch("key", null);
    expect(await leaseOf("key")).toBe("0");
    await store.set("key", 1, { expires: new Date("9999-12-31T23:59:59.999Z") });
    expect(await secondsOf(await leaseOf("key"))).toBeGreaterThan(8_000_000_000);
  });

  it("end by themselves, and take the key with them", async () => {
    await store.set("key", 1, { expires: 0.1 });
    const start = performance.now();
    while ((await client.get("key").string()) !== null)
      expect(performance.now() - start).toBeLessThan(20_000);
    await store.close();
    store = kv((client = new Etcd3({ hosts: server.url })));
    expect(await store.keys()).toEqual([]);
  });

  it("are shared by thousands of keys, and by those who write at once", async () => {
    // However long thousands of writes at once take here.
    store = kv(client, { timeout: 0 });
    const before = await leases();
    const keys = Array.from({ length: isFull ? 10_000 : 2000 }, (_, i) => `key ${i}`);
    // A server on a busy machine gives up on 2,500 at once after 7 s.
    for (let i = 0; i < keys.length; i += 500)
      await Promise.all(keys.slice(i, i + 500).map((key) => store.set(key, 1, { expires: "1h" })));
    expect((await leases()) - before).toBeLessThanOrEqual(3);
    await Promise.all(keys.slice(0, 500).map((key) => store.set(key, 1, { expires: "2h" })));
    expect((await leases()) - before).toBeLessThanOrEqual(6);
  });

  it("end at the same moment for deadlines close together, never before them", () => {
    const now = 1_700_000_000_123;
    for (const left of [
      1,
      999,
      5000,
      99_000,
      101_000,
      3_600_000,
      86_400_000,
      31_557_600_000,
      253_402_300_799_999 - now,
    ]) {
      const end = leaseEnd(now + left, now);
      expect(end).toBeGreaterThanOrEqual(now + left);
      expect(end - now).toBeLessThanOrEqual(left * 1.02 + 1000);
    }
    expect(
      new Set(Array.from({ length: 1000 }, (_, i) => leaseEnd(now + i + 3_600_000, now + i))).size,
    ).toBeLessThanOrEqual(2);
  });

  it("are granted anew when they were revoked, once for all who write", async () => {
    await store.set("key", 1, { expires: "1h" });
    await client.leaseClient.leaseRevoke({ ID: await leaseOf("key") });
    expect(await store.get("key")).toBe(null);
    const before = await leases();
    await Promise.all(
      Array.from({ length: 50 }, (_, i) => store.set(`k${i}`, i, { expires: "1h" })),
    );
    expect((await leases()) - before).toBeLessThanOrEqual(2);
    await client.leaseClient.leaseRevoke({ ID: await leaseOf("k1") });
    await store.setMany(
      [
        ["a", 1],
        ["b", 2],
      ],
      { expires: "1h" },
    );
    await client.leaseClient.leaseRevoke({ ID: await leaseOf("a") });
    const result = await store.commit(
      [{ key: "c", version: null }],
      [{ key: "c", value: 3, expires: "1h" }],
    );
    expect(result.ok).toBe(true);
    expect(await store.keys()).toEqual(["c"]);
  });
});

describe("round trips", () => {
  const keys = Array.from({ length: 1000 }, (_, i) => `key ${String(i).padStart(4, "0")}`);

  it("are one for many keys", async () => {
    expect(await callsOf(() => store.setMany(keys.map((key) => [key, key])))).toEqual({ Txn: 1 });
    expect(await callsOf(async () => expect(await store.getMany(keys)).toEqual(keys))).toEqual({
      Txn: 1,
    });
    expect(await callsOf(() => store.getMany(keys.slice(0, 100)))).toEqual({ Txn: 1 });
    expect(await callsOf(() => store.delMany(keys))).toEqual({ Txn: 1 });
    expect(await store.keys()).toEqual([]);
  });

  it("are one a page, and one more for keys with deadlines", async () => {
    // What was read ahead is good for a moment only, which may be over here.
    const clock = vi.spyOn(performance, "now").mockReturnValue(performance.now());
    onTestFinished(() => clock.mockRestore());
    await store.setMany(keys.map((key) => [key, key]));
    expect(await callsOf(async () => expect((await store.entries()).length).toBe(1000))).toEqual({
      Range: 2,
    });
    expect(await callsOf(async () => expect(await store.keys()).toEqual(keys))).toEqual({
      Range: 2,
    });
    expect(await callsOf(() => store.list({ limit: 10 }))).toEqual({ Range: 1 });
    await store.setMany(
      keys.slice(0, 700).map((key) => [key, key]),
      { expires: "1h" },
    );
    expect(await callsOf(async () => expect(await store.keys()).toEqual(keys))).toEqual({
      Range: 2,
      Txn: 2,
    });
  });

  it("are one for a commit, two where a deadline has to be judged", async () => {
    expect(
      await callsOf(() => store.commit([{ key: "a", version: null }], [{ key: "a", value: 1 }])),
    ).toEqual({ Txn: 1 });
    const { version } = (await store.entry("a"))!;
    expect(
      await callsOf(() => store.commit([{ key: "a", version }], [{ key: "a", value: 1 }])),
    ).toEqual({ Txn: 1 });
    expect(
      await callsOf(() => store.commit([{ key: "a", version }], [{ key: "a", value: 1 }])),
    ).toEqual({ Txn: 1 });
    await store.set("a", 1, { expires: "1h" });
    const leased = (await store.entry("a"))!;
    expect(
      await callsOf(() =>
        store.commit([{ key: "a", version: leased.version }], [{ key: "a", value: 1 }]),
      ),
    ).toEqual({ Txn: 2 });
    expect(await callsOf(() => store.get("a"))).toEqual({ Range: 1 });
    expect(await callsOf(() => store.set("a", 2))).toEqual({ Put: 1 });
    expect(await callsOf(() => store.del("a"))).toEqual({ DeleteRange: 1 });
  });
});

describe("a listing in pages", () => {
  it("shows the writes of the one who iterates", () => seesItsOwnWrites(store));
});

describe("limits", () => {
  it("take 100 checks and 1,000 writes, all or none", async () => {
    const checks = Array.from({ length: 100 }, (_, i) => ({ key: `check ${i}`, version: null }));
    const writes = Array.from({ length: 1000 }, (_, i) => ({
      key: `write ${i}`,
      value: i,
      ...(i % 2 ? { expires: "1h" } : {}),
    }));
    const result = await store.commit(checks, writes);
    expect(result.ok && result.version).toBe((await store.entry("write 999"))!.version);
    expect((await store.keys()).length).toBe(1000);
    await store.set("check 99", 1);
    expect(
      await store.commit(
        checks,
        writes.map((write) => ({ ...write, value: null })),
      ),
    ).toEqual({ ok: false, failed: ["check 99"] });
    expect((await store.keys()).length).toBe(1001);
    // With deadlines, which the server cannot judge.
    const versions = await Promise.all(
      checks.map(async (_, i) => ({
        key: `write ${2 * i + 1}`,
        version: (await store.entry(`write ${2 * i + 1}`))!.version,
      })),
    );
    expect(
      (
        await store.commit(
          versions,
          writes.map((write) => ({ ...write, value: null })),
        )
      ).ok,
    ).toBe(true);
    expect(await store.keys()).toEqual(["check 99"]);
  });

  it("refuse more with a message that names the remedy", async () => {
    const checks = Array.from({ length: 120 }, (_, i) => ({ key: `check ${i}`, version: null }));
    const writes = Array.from({ length: 2000 }, (_, i) => ({ key: `write ${i}`, value: i }));
    await expect(store.commit(checks, writes)).rejects.toMatchObject({
      code: "KV_TOO_LARGE",
      message: expect.stringContaining("make it smaller"),
    });
    expect(await store.keys()).toEqual([]);
  });

  it("keep the old value when a new one is too large, and do not stop the client", async () => {
    await store.set("key", "before");
    for (const size of [1_600_000, 3_000_000, 20_000_000]) {
      for (const again of [1, 2]) {
        const value = "x".repeat(size) + again;
        await expect(store.set("key", value)).rejects.toMatchObject({
          code: "KV_TOO_LARGE",
          message: expect.stringContaining("--max-request-bytes"),
        });
        await expect(store.setMany([["key", value]])).rejects.toMatchObject({
          code: "KV_TOO_LARGE",
        });
        await expect(
          store.commit(
            [],
            [
              { key: "key", value },
              { key: "other", value: 1 },
            ],
          ),
        ).rejects.toMatchObject({ code: "KV_TOO_LARGE" });
      }
    }
    expect(await store.entries()).toEqual([["key", "before"]]);
  });

  it("list and read values that no single answer holds", async () => {
    const value = "x".repeat(1_400_000);
    const keys = Array.from({ length: 9 }, (_, i) => `key ${i}`);
    for (const key of keys) await store.set(key, value, { expires: "1h" });
    expect((await store.entries()).map(([key]) => key)).toEqual(keys);
    expect((await store.list({ reverse: true, limit: 5 })).entries.map(({ key }) => key)).toEqual(
      [...keys].reverse().slice(0, 5),
    );
    expect(await store.keys()).toEqual(keys);
    expect(
      (await store.getMany([...keys, "none"])).map((found) => (found as string | null)?.length),
    ).toEqual([...keys.map(() => 1_400_000), undefined]);
    // A failed commit sees all of them.
    const checks = keys.map((key) => ({ key, version: null }));
    expect(await store.commit(checks, [{ key: "new", value: 1 }])).toEqual({
      ok: false,
      failed: keys,
    });
    await store.clear();
    expect(await store.keys()).toEqual([]);
  });

  it("split writes into requests that the server takes", async () => {
    const value = "x".repeat(400_000);
    await store.setMany(Array.from({ length: 10 }, (_, i) => [`key ${i}`, value]));
    expect((await store.keys()).length).toBe(10);
  });

  it("say when the database is full, and go on when there is room", async () => {
    const full = new Etcd3({ hosts: small.url });
    const store = kv(full);
    await store.set("kept", 1);
    const fill = async (): Promise<void> => {
      // etcd learns how large its file is a little later.
      for (let i = 0; i < 400; i++) await store.set(`key ${i}`, "x".repeat(200_000));
    };
    await expect(fill()).rejects.toMatchObject({ code: "KV_QUOTA", client: "ETCD" });
    for (let i = 0; i < 5; i++)
      await expect(
        store.commit([], [{ key: "a", value: "x".repeat(200_000) }]),
      ).rejects.toMatchObject({ code: "KV_QUOTA" });
    expect(await store.get("kept")).toBe(1);
    await store.clear();
    expect(await store.keys()).toEqual([]);
    await store.close();
  });
});

describe("items of others", () => {
  const put = (key: string | Buffer, value: string | Buffer): Promise<unknown> =>
    client.put(key).value(value).exec();

  it("are refused by get, skipped by reads of values, and listed by their keys", async () => {
    await put("app:theirs", "not ours");
    await put("app:bytes", Buffer.from([0xff, 0x00]));
    await put("app:like", '{"kv":2,"version":"x"}');
    const part = store.prefix("app:");
    await part.set("ours", 1);
    for (const key of ["theirs", "bytes", "like"])
      await expect(part.get(key)).rejects.toMatchObject({ code: "KV_FOREIGN", key: `app:${key}` });
    await expect(part.getMany(["ours", "theirs"])).rejects.toMatchObject({ code: "KV_FOREIGN" });
    await expect(
      part.commit([{ key: "theirs", version: null }], [{ key: "x", value: 1 }]),
    ).rejects.toMatchObject({ code: "KV_FOREIGN" });
    expect(await part.has("theirs")).toBe(false);
    expect(await part.entries()).toEqual([["ours", 1]]);
    expect(await part.keys()).toEqual(["bytes", "like", "ours", "theirs"]);
    await part.set("theirs", "ours now");
    expect(await part.get("theirs")).toBe("ours now");
    await put("app:broken", '{"kv":1,"version":"0123456789abcdef0123","expires":null,"value":');
    await expect(part.get("broken")).rejects.toMatchObject({ code: "KV_CORRUPT" });
    await part.clear();
    expect(await part.keys()).toEqual([]);
  });

  it("survive clear() of a prefix beside them", async () => {
    const canaries = ["app", "app9", "APP:1", "ap", "app;", "b", "\0"];
    for (const canary of canaries) await put(canary, "canary");
    const part = store.prefix("app:");
    await part.setMany([
      ["1", 1],
      ["2", 2],
    ]);
    await part.clear();
    expect(await client.getAll().keys()).toEqual([...canaries].sort());
  });

  it("may have keys that are no text: a listing skips them and goes on", async () => {
    for (let i = 0; i < 700; i++) await put(Buffer.from([0x62, 0xff, i >> 8, i & 255]), "x");
    await store.setMany([
      ["a", 1],
      ["b", 2],
      ["c", 3],
      ["\ufffd", 4],
    ]);
    const all: [string, number][] = [
      ["a", 1],
      ["b", 2],
      ["c", 3],
      ["\ufffd", 4],
    ];
    expect(await store.entries()).toEqual(all);
    expect(await store.keys()).toEqual(all.map(([key]) => key));
    expect((await store.list({ limit: 2 })).entries.map(({ key }) => key)).toEqual(["a", "b"]);
    expect((await store.list({ reverse: true })).entries.map(({ key }) => key)).toEqual([
      "\ufffd",
      "c",
      "b",
      "a",
    ]);
  });
});

describe("a commit whose answer is lost", () => {
  it("is told as made, with its version", async () => {
    await store.set("a", 1);
    const { version } = (await store.entry("a"))!;
    loseAnswer(client);
    const result = await store.commit(
      [{ key: "a", version }],
      [
        { key: "a", value: 2 },
        { key: "b", value: 2 },
      ],
    );
    expect(result).toEqual({ ok: true, version: (await store.entry("a"))!.version });
    loseAnswer(client);
    expect(
      (await store.commit([{ key: "new", version: null }], [{ key: "new", value: 1 }])).ok,
    ).toBe(true);
  });

  it("is told as made when others wrote the key meanwhile, also more than once", async () => {
    await store.set("a", 1);
    const { version } = (await store.entry("a"))!;
    const other = kv(new Etcd3({ hosts: server.url }));
    loseAnswer(client, async () => {
      for (let i = 0; i < 3; i++) await other.set("a", `other ${i}`);
    });
    expect((await store.commit([{ key: "a", version }], [{ key: "a", value: 2 }])).ok).toBe(true);
    expect(await store.get("a")).toBe("other 2");
    await other.close();
  });

  it("is told as failed when it was not made", async () => {
    await store.set("a", 1);
    const pool = poolOf(client);
    const real = pool.withConnection;
    const { version } = (await store.entry("a"))!;
    const other = kv(new Etcd3({ hosts: server.url }));
    pool.withConnection = async () => {
      pool.withConnection = real;
      await other.set("a", "other");
      throw Object.assign(new Error("14 UNAVAILABLE: Connection dropped"), { code: 14 });
    };
    expect(await store.commit([{ key: "a", version }], [{ key: "a", value: 2 }])).toEqual({
      ok: false,
      failed: ["a"],
    });
    expect(await store.get("a")).toBe("other");
    await other.close();
  });

  it("is KV_CONNECTION when that cannot be told", async () => {
    await store.set("a", 1);
    const { version } = (await store.entry("a"))!;
    loseAnswer(client);
    await expect(
      store.commit([{ key: "a", version }], [{ key: "a", value: null }]),
    ).rejects.toMatchObject({
      code: "KV_CONNECTION",
      cause: expect.objectContaining({ message: expect.stringContaining("UNAVAILABLE") }),
    });
    expect(await store.get("a")).toBe(null);
    await store.set("b", 1);
    const before = (await store.entry("b"))!.version;
    loseAnswer(client, () => client.delete().key("b").exec());
    await expect(
      store.commit([{ key: "b", version: before }], [{ key: "b", value: 2 }]),
    ).rejects.toMatchObject({ code: "KV_CONNECTION" });
  });
});

describe("a client", () => {
  it("is a namespace, which others are outside of", async () => {
    await client.put("canary").value("x");
    await client.put("x/").value("itself");
    const inside = kv(client.namespace("x/"));
    await inside.setMany([
      ["a", 1],
      ["\0", 2],
      ["z\u{10ffff}", 3],
    ]);
    expect(await client.getAll().keys()).toEqual(["canary", "x/", "x/\0", "x/a", "x/z\u{10ffff}"]);
    expect(await inside.keys()).toEqual(["\0", "a", "z\u{10ffff}"]);
    expect((await inside.list({ reverse: true, limit: 2 })).entries.map(({ key }) => key)).toEqual([
      "z\u{10ffff}",
      "a",
    ]);
    expect(await inside.type).toBe("ETCD");
    await inside.clear();
    expect(await client.getAll().keys()).toEqual(["canary", "x/"]);
    await inside.close();
    expect(await client.get("canary").string()).toBe("x");
  });

  it("may be a promise, may be shared, and is refused without the needed methods", async () => {
    const promised = kv(Promise.resolve(client));
    await promised.set("a", 1);
    expect(promised.type).toBe("ETCD");
    expect(await kv(client).get("a")).toBe(1);
    const nothing = (): void => {};
    await expect(
      kv(etcd({ getAll: nothing, put: nothing, delete: nothing, namespace: nothing } as never)).get(
        "a",
      ),
    ).rejects.toMatchObject({ code: "KV_INVALID_CLIENT" });
  });

  it("that its owner has closed is KV_CONNECTION", async () => {
    client.close();
    for (const work of [
      () => store.get("a"),
      () => store.set("a", 1),
      () => store.set("a", 1, { expires: "1h" }),
      () => store.keys(),
      () => store.commit([], [{ key: "a", value: 1 }]),
    ]) {
      await expect(work()).rejects.toMatchObject({ code: "KV_CONNECTION", client: "ETCD" });
    }
  });

  it("keeps its own options for calls", async () => {
    let asked = 0;
    const own = new Etcd3({
      hosts: server.url,
      defaultCallOptions: () => (asked++, { deadline: Date.now() + 5000 }),
    });
    const ours = kv(own);
    await ours.set("a", 1, { expires: "1h" });
    expect(asked).toBeGreaterThan(0);
    await ours.close();
  });

  it("lets the program end, closed or, idle, not", () => {
    const script = (close: string): string =>
      `import { Etcd3 } from "etcd3"; import kv from ` +
      `${JSON.stringify(join(import.meta.dirname, "../../../src/index.ts"))}; const ` +
      `store = kv(new Etcd3({ hosts: ${JSON.stringify(server.url)} })); await ` +
      `store.set("a", 1, { expires: "1h" }); await store.keys(); ${close}`;
    for (const close of ["await store.close();", ""]) {
      const { status, stderr } = spawnSync(
        process.execPath,
        ["--input-type=module-typescript", "-e", script(close)],
        { cwd: join(import.meta.dirname, "../../.."), timeout: 20_000, encoding: "utf8" },
      );
      expect([status, stderr.replace(/.*Warning.*\n/g, "")]).toEqual([0, ""]);
    }
  });
});

describe("writes of one key", () => {
  it("are made in call order, also when the server was silent to the earlier one", async () => {
    const brief = kv(client, { timeout: "200ms" });
    const patient = kv(client, { timeout: "30s" });
    let refused = 0;
    for (let round = 0; round < 12; round++) {
      const keys = [`key ${round}`, `other ${round}`];
      await patient.setMany(keys.map((key) => [key, 0]));
      server.pause();
      const early = await Promise.all(
        [
          brief.set(keys[0]!, "old"),
          brief.setMany(keys.map((key) => [key, "old"])),
          brief.commit(
            [],
            keys.map((key) => ({ key, value: "old" })),
          ),
          brief.del(keys[1]!),
        ].map((work) =>
          work.then(
            () => "done",
            (error: { code: string }) => error.code,
          ),
        ),
      );
      const later = [
        patient.commit([], [{ key: keys[0]!, value: "new" }]),
        store.set(keys[1]!, "new"),
      ];
      server.resume();
      await Promise.all(later);
      // Whatever was there before it stopped.
      refused += early.filter((code) => code === "KV_CONNECTION").length;
      expect(await patient.getMany(keys)).toEqual(["new", "new"]);
    }
    expect(refused).toBeGreaterThan(12);
    // Nothing comes behind.
    await Promise.all(Array.from({ length: 50 }, (_, i) => store.set("same", i)));
    expect(await patient.get("same")).toBe(49);
    const before = Array.from({ length: 12 }, (_, i) => [`key ${i}`, `other ${i}`]).flat();
    expect(await patient.getMany(before)).toEqual(before.map(() => "new"));
  });

  it("wait for no others", async () => {
    const pool = poolOf(client);
    const real = pool.withConnection;
    const { promise, resolve } = Promise.withResolvers<void>();
    pool.withConnection = async (service, work) => {
      pool.withConnection = real;
      await promise;
      return real.call(pool, service, work);
    };
    const first = store.set("a", 1);
    const second = store.set("a", 2);
    await Promise.all([
      store.set("b", 1),
      store.commit([{ key: "c", version: null }], [{ key: "c", value: 1 }]),
      store.setMany([["d", 1]]),
    ]);
    expect(await store.getMany(["b", "c", "d"])).toEqual([1, 1, 1]);
    resolve();
    await Promise.all([first, second]);
    expect(await store.get("a")).toBe(2);
  });
});

describe("close()", () => {
  it("settles 300 pending operations, with every timeout", async () => {
    for (const timeout of ["5s", 0]) {
      const closing = kv(new Etcd3({ hosts: server.url }), { timeout });
      const work = Array.from({ length: 300 }, (_, i) =>
        i % 3 === 0
          ? closing.get(`key ${i}`)
          : i % 3 === 1
            ? closing.set(`key ${i % 20}`, i, { expires: "1h" })
            : closing.commit([{ key: `key ${i}`, version: null }], [{ key: `key ${i}`, value: i }]),
      );
      const [closed, ...results] = await Promise.allSettled([closing.close(), ...work]);
      expect(closed.status).toBe("fulfilled");
      for (const result of results)
        if (result.status === "rejected")
          expect(result.reason).toMatchObject({ code: "KV_CLOSED" });
    }
  });

  it("gives up requests to a silent server, and lets the program end", async () => {
    const closing = kv(new Etcd3({ hosts: server.url }), { timeout: 0 });
    await closing.set("a", 1);
    server.pause();
    const waiting = [
      closing.get("a"),
      closing.set("a", 2),
      closing.set("a", 3, { expires: "1h" }),
      closing.set("b", 3, { expires: "2h" }),
    ].map((work) => work.catch((error: { code: string }) => error.code));
    await closing.close();
    server.resume();
    expect(await Promise.all(waiting)).toEqual(Array(4).fill("KV_CLOSED"));
    await endsWhilePaused(server, ["ETCD"]);
  });

  it("ends a client that was never used, and one that is not fit to be", async () => {
    let closed = 0;
    const methods = Object.fromEntries(
      ["getAll", "put", "delete", "namespace"].map((name) => [name, () => {}]),
    );
    const close = (): void => void closed++;
    await kv(etcd({ ...methods, close } as never)).close();
    const unfit = kv(etcd({ ...methods, close } as never));
    await expect(unfit.get("a")).rejects.toMatchObject({ code: "KV_INVALID_CLIENT" });
    await unfit.close();
    expect(closed).toBe(2);
  });
});

it("compares and sets through two clients at once", async () => {
  const other = kv(new Etcd3({ hosts: server.url }));
  const raise = async (through: Store): Promise<void> => {
    for (let done = 0; done < 50;) {
      const entry = await through.entry<number>("count");
      const { ok } = await through.commit(
        [{ key: "count", version: entry?.version ?? null }],
        [{ key: "count", value: (entry?.value ?? 0) + 1, expires: "1h" }],
      );
      if (ok) done++;
    }
  };
  await Promise.all([raise(store), raise(other), raise(store), raise(other)]);
  expect(await store.get("count")).toBe(200);
  await other.close();
});

it("lists bytes exactly, under every prefix", async () => {
  const keys = ["a", "a\u{10ffff}", "a\u{10ffff}b", "b", "\u{10ffff}", "\u{10ffff}x", "\ufeffbom"];
  await store.setMany(keys.map((key) => [key, key]));
  for (const prefix of ["a", "a\u{10ffff}", "\u{10ffff}", "\ufeff", ""]) {
    expect((await store.prefix(prefix).keys()).sort()).toEqual(
      keys
        .filter((key) => key.startsWith(prefix) && key !== prefix)
        .map((key) => key.slice(prefix.length))
        .sort(),
    );
  }
  expect(bytes("\ufeffbom").length).toBe(6);
});
