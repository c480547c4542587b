import { IDBFactory } from "fake-indexeddb";
import "fake-indexeddb/auto";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { KVFn } from "../../src/reactive/index.ts";
import { deleteDatabase, inStore, requested } from "../support/browser-clients.ts";
import { eventually } from "../support/eventually.ts";

type Module = typeof import("../../src/reactive/index.ts");
const open: KVFn[] = [];

/** What another tab would have. */
async function program(): Promise<Module["createKVStore"]> {
  vi.resetModules();
  const { createKVStore } = await import("../../src/reactive/index.ts");
  return ((name: string, ...rest: []) => {
    const made = createKVStore(name, ...rest);
    open.push(made);
    return made;
  }) as typeof createKVStore;
}

const rows = (database: string, store: string): Promise<unknown[]> =>
  inStore(database, store, "readonly", (items) => items.getAll());

/** The version and the object stores, read by a connection of its own. */
async function shape(name: string): Promise<[version: number, stores: string[]]> {
  const db = await requested(indexedDB.open(name));
  db.close();
  return [db.version, [...db.objectStoreNames]];
}

afterEach(async () => {
  vi.restoreAllMocks();
  for (const kv of open.splice(0)) await kv.store().close();
  for (const { name } of await indexedDB.databases()) await deleteDatabase(name!);
});

describe("importing", () => {
  it("opens nothing, and neither does the default function before it is called", async () => {
    const opening = vi.spyOn(IDBFactory.prototype, "open");
    const channels = vi.spyOn(globalThis, "BroadcastChannel");
    vi.resetModules();
    const { kv } = await import("../../src/reactive/index.ts");
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect([opening.mock.calls, channels.mock.calls, await indexedDB.databases()]).toEqual([
      [],
      [],
      [],
    ]);
    open.push(kv);
    kv("a", 1);
    await kv.ready();
    expect(await shape("anykv.kv")).toEqual([1, ["anykv"]]);
    expect(await rows("anykv.kv", "anykv")).toEqual([1]);
  });

  it("gives the default function by its name too", async () => {
    vi.resetModules();
    const { createKVStore, kv } = await import("../../src/reactive/index.ts");
    expect(createKVStore("anykv")).toBe(kv);
    open.push(kv);
  });
});

describe("the database", () => {
  it("has the requested name, version, object store and bare values", async () => {
    const create = await program();
    const kv = create("notes", 3, "my database");
    kv("a", { at: new Date(1) });
    await kv.ready();
    expect(await shape("my database")).toEqual([3, ["notes"]]);
    expect(await rows("my database", "notes")).toEqual([{ at: new Date(1) }]);
    expect(
      await inStore("my database", "notes", "readonly", (items) => items.getAllKeys()),
    ).toEqual(["a"]);
    const [other] = [create("other")];
    await other.ready();
    expect(await shape("other.kv")).toEqual([1, ["other"]]);
  });

  it("is opened in the background, without a state", async () => {
    const kv = (await program())("notes");
    await eventually(() => kv.store().status).toBe("open");
  });

  it("and the version are compared when two functions are", async () => {
    const create = await program();
    const functions = [
      create("notes"),
      create("notes", 1, "elsewhere"),
      create("notes", 2, "third"),
    ];
    expect(new Set(functions).size).toBe(3);
    expect(create("notes", 1, "elsewhere")).toBe(functions[1]);
    expect(create("notes", { dbName: "elsewhere" })).toBe(functions[1]);
    for (const [i, kv] of functions.entries()) kv("key", i);
    await Promise.all(functions.map((kv) => kv.ready()));
    expect([
      await rows("notes.kv", "notes"),
      await rows("elsewhere", "notes"),
      await rows("third", "notes"),
    ]).toEqual([[0], [1], [2]]);
  });

  it("takes several object stores at once, and more later, at the same version", async () => {
    const create = await program();
    const [a, b] = [create("a", 1, "shared"), create("b", 1, "shared")];
    const states = [a("k", "a"), b("k", "b")];
    await Promise.all([a.ready(), b.ready()]);
    expect(await shape("shared")).toEqual([1, ["a", "b"]]);
    const c = create("c", 1, "shared");
    states.push(c("k", "c"));
    expect(await c.ready()).toBe(true);
    // Whoever was open goes on.
    for (const state of states) state.data += "!";
    await Promise.all([a.ready(), b.ready(), c.ready()]);
    expect(states.map(({ data, status }) => [data, status])).toEqual([
      ["a!", "ready"],
      ["b!", "ready"],
      ["c!", "ready"],
    ]);
    expect([
      await rows("shared", "a"),
      await rows("shared", "b"),
      await rows("shared", "c"),
    ]).toEqual([["a!"], ["b!"], ["c!"]]);
    // In the next visit they are all there, and version 1 is still version 1.
    const next = await program();
    const again = [next("a", 1, "shared"), next("c", 1, "shared")];
    await Promise.all(again.map((kv) => kv.ready()));
    expect(again.map((kv) => kv("k").data)).toEqual(["a!", "c!"]);
  });

  it("takes object stores from several programs at once", async () => {
    const programs = [await program(), await program(), await program()];
    const functions = programs.map((create, i) => create(`s${i}`, 1, "shared"));
    for (const [i, kv] of functions.entries()) kv("k", i);
    await Promise.all(functions.map((kv) => kv.ready()));
    expect(await Promise.all([0, 1, 2].map((i) => rows("shared", `s${i}`)))).toEqual([
      [0],
      [1],
      [2],
    ]);
  });

  it("is upgraded from another program, while this one goes on", async () => {
    const old = (await program())("notes", 1, "shared");
    const state = old("a", { n: 1 });
    await old.ready();
    // A foreign connection that asks for a new version is not kept waiting.
    const request = indexedDB.open("shared", 2);
    const blocked = vi.fn();
    request.onblocked = blocked;
    request.onupgradeneeded = () => void request.result.createObjectStore("theirs");
    (await requested(request)).close();
    expect(blocked).not.toHaveBeenCalled();
    const next = (await program())("notes", 3, "shared");
    const theirs = next("a", { n: 0 });
    await next.ready();
    expect(theirs.data).toEqual({ n: 1 });
    state.data.n = 2;
    expect(await old.ready()).toBe(true);
    await eventually(() => theirs.data.n).toBe(2);
    expect(await rows("shared", "notes")).toEqual([{ n: 2 }]);
    expect((await shape("shared"))[0]).toBe(3);
  });

  it("of a newer version refuses a program that begins with an older one", async () => {
    const newer = (await program())("notes", 2, "shared");
    newer("a", "newer");
    await newer.ready();
    const kv = (await program())("notes", 1, "shared");
    const state = kv("a", "init");
    await expect(kv.ready()).rejects.toMatchObject({
      code: "KV_INVALID_CLIENT",
      message: expect.stringContaining("version 2"),
    });
    expect(state).toMatchObject({
      data: "init",
      status: "error",
      error: { code: "KV_INVALID_CLIENT" },
    });
    state.data = "edit";
    await kv.flush();
    expect(state.data).toBe("edit");
    expect(await rows("shared", "notes")).toEqual(["newer"]);
  });

  it("keeps its version when an object store is added, and raises it on request", async () => {
    const first = (await program())("a", 1, "shared");
    await first.ready();
    const second = (await program())("b", 1, "shared");
    await second.ready();
    const third = (await program())("c", 2, "shared");
    third("k", 1);
    await third.ready();
    expect((await shape("shared"))[0] % 2 ** 32).toBe(2);
    const late = (await program())("d", 1, "shared");
    await expect(late.ready()).rejects.toMatchObject({ code: "KV_INVALID_CLIENT" });
  });

  it("that is deleted is made again by the next change", async () => {
    const kv = (await program())("notes", 2, "shared");
    const state = kv("a", { n: 1 });
    await kv.ready();
    await deleteDatabase("shared");
    state.data.n = 2;
    expect(await kv.ready()).toBe(true);
    expect(state.status).toBe("ready");
    expect([await shape("shared"), await rows("shared", "notes")]).toEqual([
      [2, ["notes"]],
      [{ n: 2 }],
    ]);
  });

  it("is not opened with a version that is none", async () => {
    for (const version of [0, 0.5, 1.5, -1, NaN, 2 ** 32, "2" as never]) {
      const kv = (await program())("notes", version);
      await expect(kv.ready()).rejects.toMatchObject({
        code: "KV_INVALID_VALUE",
        message: expect.stringContaining("version"),
      });
      expect(kv("a", 1).status).toBe("error");
    }
  });
});

describe("seeds", () => {
  it("are sown by the first of two programs that come at once", async () => {
    const programs = [await program(), await program()];
    const functions = programs.map((create, i) =>
      create("notes", 1, "shared", [
        ["k", `from ${i}`],
        [`own ${i}`, i],
      ]),
    );
    await Promise.all(functions.map((kv) => kv.ready()));
    const stored = await rows("shared", "notes");
    expect(stored.length).toBe(2);
    expect(functions.map((kv) => kv("k", "init").data)).toEqual([stored[0], stored[0]]);
  });

  it("win over an init, not over an edit", async () => {
    const kv = (await program())("notes", 1, "shared", [
      ["a", "seed"],
      ["b", "seed"],
    ]);
    const [a, b] = [kv("a", "init"), kv("b", "init")];
    b.data = "edit";
    await kv.ready();
    expect([a.data, b.data]).toEqual(["seed", "edit"]);
    expect(await rows("shared", "notes")).toEqual(["seed", "edit"]);
  });

  it("come into a store that was made without any, as long as it is empty", async () => {
    const plain = (await program())("notes", 1, "shared");
    await plain.ready();
    const seeded = (await program())("notes", 1, "shared", [["a", 1]]);
    await seeded.ready();
    expect(await rows("shared", "notes")).toEqual([1]);
  });
});

it("a full quota takes back one state, and the next change clears the error", async () => {
  const kv = (await program())("notes");
  const [big, small] = [kv("big", { text: "" }), kv("small", 1)];
  await kv.ready();
  big.data.text = (() => {}) as never;
  await kv.flush();
  expect(big.error).toMatchObject({ code: "KV_INVALID_VALUE" });
  const put = IDBObjectStore.prototype.put;
  vi.spyOn(IDBObjectStore.prototype, "put").mockImplementation(function (
    this: IDBObjectStore,
    value: unknown,
    key?: IDBValidKey,
  ) {
    if (key === "big" && (value as { text: string }).text.length > 10)
      throw new DOMException("full", "QuotaExceededError");
    return put.call(this, value, key);
  });
  big.data.text = "x".repeat(100);
  small.data = 2;
  await expect(kv.ready()).rejects.toMatchObject({ code: "KV_QUOTA" });
  expect([big, small]).toMatchObject([
    { data: { text: "" }, status: "error", error: { code: "KV_QUOTA" } },
    { data: 2, status: "ready" },
  ]);
  expect(await rows("notes.kv", "notes")).toEqual([{ text: "" }, 2]);
  // By itself it is tried once.
  const opened = vi.spyOn(IDBDatabase.prototype, "transaction");
  big.data.text = "x".repeat(100);
  await kv.flush();
  expect(opened.mock.calls.length).toBe(1);
  big.data.text = "short";
  await kv.ready();
  expect(big).toEqual({ data: { text: "short" }, status: "ready" });
});

it("one object stays one, when it is stored too", async () => {
  const kv = (await program())("notes");
  const shared = { n: 1 };
  const state = kv("a", { x: shared, list: [shared] });
  await kv.ready();
  state.data.list[0]!.n = 2;
  await kv.ready();
  const [stored] = (await rows("notes.kv", "notes")) as (typeof state.data)[];
  expect([stored!.x, stored!.x === stored!.list[0]]).toEqual([{ n: 2 }, true]);
});

it("references that a change makes circular are stored as they are", async () => {
  const kv = (await program())("notes");
  type Part = { [name: string]: Part };
  const tree = kv<Part>("tree", { branch: { leaf: {} } });
  const list = kv<Part[]>("list", [{}, {}]);
  await kv.ready();
  tree.data.branch!.leaf!.root = tree.data;
  list.data[0]!.next = list.data[1]!;
  await kv.ready();
  list.data[1]!.previous = list.data[0]!;
  await kv.ready();
  const [ends, root] = (await rows("notes.kv", "notes")) as [Part[], Part];
  expect([
    root.branch!.leaf!.root === root,
    ends[0]!.next === ends[1],
    ends[1]!.previous === ends[0],
  ]).toEqual([true, true, true]);
});

it("a page that goes has no change wait for a beginning, which has to look first", async () => {
  const listeners = new Map<string, () => void>();
  vi.stubGlobal("addEventListener", (type: string, listener: () => void) =>
    listeners.set(type, listener),
  );
  const kv = (await program())("notes");
  const state = kv("a", 1);
  await kv.ready();
  const commits: number[] = [];
  const get = vi.spyOn(IDBObjectStore.prototype, "get");
  vi.spyOn(IDBTransaction.prototype, "commit").mockImplementation(
    () =>
      void commits.push(
        get.mock.results.filter(({ value }) => (value as IDBRequest).readyState === "done").length,
      ),
  );
  state.data = 2;
  kv("b", 1);
  listeners.get("pagehide")!();
  await kv.ready();
  vi.unstubAllGlobals();
  expect(commits).toEqual([0, 1]);
  expect(await rows("notes.kv", "notes")).toEqual([2, 1]);
});

it("10,000 changes of 1,000 states are one transaction", async () => {
  const kv = (await program())("notes");
  const states = Array.from({ length: 1000 }, (_, i) => kv(`k${i}`, { n: 0 }));
  await kv.ready();
  const spy = vi.spyOn(IDBDatabase.prototype, "transaction");
  for (let i = 0; i < 10_000; i++) states[i % 1000]!.data.n++;
  await kv.ready();
  expect(spy.mock.calls.length).toBe(1);
  expect(await rows("notes.kv", "notes")).toEqual(states.map(() => ({ n: 10 })));
});
