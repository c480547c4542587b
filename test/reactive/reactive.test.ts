import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeEach, describe, expect, it, vi } from "vitest";
import { rich } from "../../src/codec.ts";
import kv, { type Store } from "../../src/index.ts";
import { createKVStore, kv as states } from "../../src/reactive/index.ts";
import { place } from "../support/disk.ts";
import { reactiveSuite } from "../suites/reactive-suite.ts";
import { eventually } from "../support/eventually.ts";

const folder = place();
let path = `${folder}/0.db`;
let count = 0;
const databases: DatabaseSync[] = [];
afterAll(() => {
  for (const db of databases) db.close();
});

/** A store over a connection of its own. */
function open(): Store<unknown> {
  const db = new DatabaseSync(path);
  db.exec("PRAGMA busy_timeout = 5000; PRAGMA synchronous = OFF");
  databases.push(db);
  return kv(db, { codec: rich }) as unknown as Store<unknown>;
}

const begun: string[] = [];
reactiveSuite({
  name: "SQLite",
  program: async () => {
    const store = open();
    const db = databases.at(-1)!;
    const exec = db.exec.bind(db);
    db.exec = (sql) => (begun.push(sql), exec(sql));
    return (name, options = {}) => createKVStore(name, { interval: "10ms", ...options, store });
  },
  rows: async (name) =>
    new Map(
      (await open().prefix(`${name}:`).entries()).map(([key, value]) => [
        key,
        (value as { "~"?: unknown } | null)?.["~"] === "null" ? null : value,
      ]),
    ),
  async fill(name, values) {
    await open()
      .prefix(`${name}:`)
      .setMany(Object.entries(values).map(([key, value]) => [key, value ?? { "~": "null" }]));
  },
  transactions() {
    begun.length = 0;
    return () => begun.filter((sql) => sql === "BEGIN IMMEDIATE").length;
  },
  async empty() {
    vi.restoreAllMocks();
    path = `${folder}/${++count}.db`;
  },
});

describe("states in a store without a codec", () => {
  let store: Store;
  beforeEach(() => {
    store = kv(new Map());
  });

  it("are JSON: a Date is refused, with its path", async () => {
    const notes = createKVStore("notes", { store });
    const state = notes<{ at: unknown }>("a", { at: 1 });
    await notes.ready();
    state.data.at = new Date();
    await expect(notes.ready()).rejects.toMatchObject({
      code: "KV_INVALID_VALUE",
      message: expect.stringContaining("Date"),
    });
    expect(state).toMatchObject({ data: { at: 1 }, status: "error" });
    expect(await store.get("notes:a")).toEqual({ at: 1 });
  });

  it("are plain records, but for null and values that look like it", async () => {
    const notes = createKVStore("notes", { store });
    for (const [key, value] of [
      ["null", null],
      ["mark", { "~": "null" }],
      ["plain", { x: null }],
    ] as const)
      notes(key, value);
    await notes.ready();
    expect(await store.all()).toEqual({
      "notes:null": { "~": "null" },
      "notes:mark": { "~": "object", value: { "~": "null" } },
      "notes:plain": { x: null },
    });
    const again = createKVStore("notes", { store: store.prefix("") });
    await again.ready();
    expect(["null", "mark", "plain"].map((key) => again.peek(key).data)).toEqual([
      null,
      { "~": "null" },
      { x: null },
    ]);
  });

  it("cannot have a name with a colon, whose keys would be those of another", async () => {
    const notes = createKVStore("a:b", { store });
    await expect(notes.ready()).rejects.toMatchObject({ code: "KV_INVALID_VALUE" });
    expect(notes("x", 1).status).toBe("error");
  });

  it("go when a record expires", async () => {
    await store.set("notes:a", 1, { expires: "1h" });
    const notes = createKVStore("notes", { store, interval: "5ms" });
    const state = notes("a", 0);
    await notes.ready();
    expect(state.data).toBe(1);
    await store.touch("notes:a", "50ms");
    await eventually(() => state.status).toBe("removed");
  });

  it("stay the objects that they are while nothing changes, of whatever kind", async () => {
    const rows = kv(new Map(), { codec: rich }) as unknown as Store<unknown>;
    const notes = createKVStore("notes", { store: rows, interval: "1ms" });
    const circle: { list: number[]; me?: unknown } = { list: [] };
    circle.me = circle;
    const parts = [
      circle,
      { list: [], at: /x/g },
      { list: [], at: new URL("http://a.test/") },
      { list: [], at: new URLSearchParams("a=1") },
    ].map((value, i) => notes(String(i), value as { list: number[]; at?: unknown }));
    const clock = notes("clock", 0);
    await notes.ready();
    const lists = parts.map(({ data }) => data.list);
    for (const time of [1, 2]) {
      await rows.set("notes:clock", time);
      await eventually(() => clock.data).toBe(time);
    }
    for (const list of lists) list.push(1);
    expect(parts.map(({ data }) => data.list.length)).toEqual([1, 1, 1, 1]);
    // Those that do change are heard.
    await rows.set("notes:1", { list: [], at: /y/ });
    await notes.ready();
    await rows.set("notes:1", { list: [], at: /y/ });
    await eventually(() => String(parts[1]!.data.at)).toBe("/y/");
    await notes.store().close();
  });

  it("begin with the value that another process writes at the same moment", async () => {
    const prefix = (text?: string): Store => {
      const rows = store.prefix(text);
      return {
        ...rows,
        async getMany(keys: Iterable<string>) {
          const found = await rows.getMany(keys);
          await store.commit(
            [{ key: "notes:a", version: null }],
            [{ key: "notes:a", value: "theirs" }],
          );
          return found;
        },
      } as Store;
    };
    const notes = createKVStore("notes", {
      store: { ...store, supports: store.supports, prefix },
      interval: 0,
    });
    await notes.ready();
    const states = [notes("a", "ours"), notes("b", "ours")];
    await notes.ready();
    expect(states.map(({ data }) => data)).toEqual(["theirs", "ours"]);
    expect(await store.all()).toEqual({ "notes:a": "theirs", "notes:b": "ours" });
  });

  it("do not look for changes when they are not to", async () => {
    const notes = createKVStore("notes", { store, interval: 0 });
    const state = notes("a", 0);
    await notes.ready();
    const look = vi.spyOn(Map.prototype, "get");
    vi.useFakeTimers();
    await vi.advanceTimersByTimeAsync(10_000);
    vi.useRealTimers();
    look.mockRestore();
    await store.set("notes:a", 5);
    expect(state.data).toBe(0);
  });

  it("tell that the store cannot be reached, work in memory, and write once it can", async () => {
    let isDown = true;
    let tries = 0;
    const data = new Map<string, unknown>();
    const fails =
      <A extends unknown[], R>(work: (...args: A) => R) =>
      async (...args: A) => {
        tries++;
        if (isDown) throw new Error("down");
        return work(...args);
      };
    const client = {
      get: fails((key: string) => data.get(key)),
      set: fails((key: string, value: unknown) => void data.set(key, value)),
      del: fails((key: string) => void data.delete(key)),
      async *iterate(prefix: string) {
        if (isDown) throw new Error("down");
        for (const [key, value] of data) if (key.startsWith(prefix)) yield [key, value];
      },
    };
    const notes = createKVStore("notes", { store: kv(client), interval: 0 });
    const state = notes("a", { n: 0 });
    await expect(notes.ready()).rejects.toMatchObject({ code: "KV_CONNECTION" });
    expect(state).toMatchObject({
      data: { n: 0 },
      status: "error",
      error: { code: "KV_CONNECTION" },
    });
    expect([notes.store().status, notes.store().error]).toMatchObject([
      "closed",
      { code: "KV_CONNECTION" },
    ]);
    state.data.n = 1;
    await notes.flush();
    expect(state.data.n).toBe(1);
    const operation = notes.store().set("b", 1);
    await notes.flush();
    await expect(operation.promise()).rejects.toMatchObject({ code: "KV_CONNECTION" });
    const begun = notes("begun", "ours");
    await notes.flush();
    const again = notes.store().set("b", 1);
    isDown = false;
    await kv(client).set("notes:begun", "theirs");
    expect(await notes.ready()).toBe(true);
    await again.promise();
    expect(state).toEqual({ data: { n: 1 }, status: "ready" });
    expect(begun).toEqual({ data: "theirs", status: "ready" });
    expect([notes.store().status, notes.store().error, notes("c", 1).status]).toEqual([
      "open",
      undefined,
      "ready",
    ]);
    expect(await kv(client).entries()).toEqual(
      expect.arrayContaining([
        ["notes:a", { n: 1 }],
        ["notes:b", 1],
      ]),
    );
    // An outage later on: what it refused goes back, and each key is not tried by itself.
    isDown = true;
    tries = 0;
    state.data.n = 2;
    for (let i = 0; i < 20; i++) notes.store().set(`k${i}`, i);
    await notes.flush();
    expect(state).toMatchObject({
      data: { n: 1 },
      status: "error",
      error: { code: "KV_CONNECTION" },
    });
    expect(tries).toBeLessThan(20);
  });

  it("are written in their order by a client that keeps none", async () => {
    let release!: () => void;
    const slow = new Promise<void>((resolve) => (release = resolve));
    const prefix = (text?: string): Store => {
      const rows = store.prefix(text);
      return {
        ...rows,
        async commit(checks, writes) {
          if (JSON.stringify(writes).includes("first")) await slow;
          return rows.commit(checks, writes);
        },
      };
    };
    const notes = createKVStore("notes", { store: { ...store, prefix }, interval: 0 });
    await notes.ready();
    const state = notes("a", "first");
    const flushed = notes.flush();
    state.data = "second";
    const second = notes.flush();
    setTimeout(release, 5);
    await Promise.all([flushed, second]);
    expect(await store.get("notes:a")).toBe("second");
  });

  it("are not looked after once their store is closed", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    const notes = createKVStore("notes", { store });
    const state = notes("a", 0);
    await notes.ready();
    await store.set("notes:a", 1);
    await vi.advanceTimersByTimeAsync(1000);
    await eventually(() => state.data).toBe(1);
    await notes.store().close();
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
  });
});

describe("in Node", () => {
  it("a program ends by itself, after its changes are written", async () => {
    const file = `${folder}/exit.db`;
    const source = (name: string): string =>
      JSON.stringify(join(import.meta.dirname, "../../src", name));
    const program = `
      import "fake-indexeddb/auto";
      import { DatabaseSync } from "node:sqlite";
      import kv from ${source("index.ts")};
      import { createKVStore, kv as states } from ${source("reactive/index.ts")};
      const store = kv(new DatabaseSync(${JSON.stringify(file)}));
      const notes = createKVStore("notes", { store });
      const state = notes("a", { n: 0 });
      states("in a database", 1);
      await Promise.all([notes.ready(), states.ready()]);
      state.data.n = 1;
    `;
    const child = spawn(
      process.execPath,
      [
        "--disable-warning=ExperimentalWarning",
        "--input-type=module-typescript",
        "--eval",
        program.replace("fake-indexeddb/auto", import.meta.resolve("fake-indexeddb/auto")),
      ],
      { stdio: ["ignore", "inherit", "inherit"] },
    );
    expect((await once(child, "close"))[0]).toBe(0);
    const db = new DatabaseSync(file);
    databases.push(db);
    expect(await kv(db).entries()).toEqual([["notes:a", { n: 1 }]]);
  });

  it("without IndexedDB states work in memory, and say so", async () => {
    expect(globalThis.indexedDB).toBe(undefined);
    const channels = vi.spyOn(globalThis, "BroadcastChannel");
    const state = states("a", { list: [1] });
    expect(state).toEqual({ data: { list: [1] }, status: "init" });
    await expect(states.ready()).rejects.toMatchObject({
      code: "KV_INVALID_CLIENT",
      client: "INDEXEDDB",
      message: expect.stringContaining("IndexedDB is not available"),
    });
    expect(state).toMatchObject({ status: "error", error: { code: "KV_INVALID_CLIENT" } });
    state.data.list.push(2);
    await states.flush();
    expect(states("a")).toBe(state);
    expect(states.snapshot(state).data).toEqual({ list: [1, 2] });
    expect(states("b", 1)).toMatchObject({ data: 1, status: "error" });
    const late = states.store().set("c", 1);
    await expect(late.promise()).rejects.toMatchObject({ code: "KV_INVALID_CLIENT" });
    expect(states.store().get("c")).toBe(1);
    expect(await states.store().promise()).toEqual({ type: "closed" });
    states.remove("b");
    await states.flush();
    expect(states.store().busy).toBe(false);
    expect(channels).not.toHaveBeenCalled();
    expect(states.store().get("b")).toBe(undefined);
  });
});
