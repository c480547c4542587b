import "fake-indexeddb/auto";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, rmSync } from "node:fs";
import process from "node:process";
import { DatabaseSync } from "node:sqlite";
import { IDBFactory as FakeFactory } from "fake-indexeddb";
import { LRUCache } from "lru-cache";
import { MemoryLevel } from "memory-level";
import { describe, expect, it } from "vitest";
import { conformance } from "../../src/conformance/index.ts";
import kv, { type Store } from "../../src/index.ts";
import { createKV, namespace } from "../../src/namespace/index.ts";
import { until } from "../support/daemon.ts";
import { place } from "../support/disk.ts";
import { namespaceSuite, randomBytes } from "../suites/namespace-suite.ts";
import { openClient } from "../support/open-client.ts";

const folder = place();
const helper = new URL("../programs/namespace-process.ts", import.meta.url).pathname;
const start = (...args: string[]): ChildProcess =>
  spawn(process.execPath, ["--disable-warning=ExperimentalWarning", helper, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
async function run(...args: string[]): Promise<string> {
  const child = start(...args);
  let output = "";
  child.stdout!.setEncoding("utf8").on("data", (text: string) => (output += text));
  expect(await once(child, "close")).toEqual([0, null]);
  return output;
}

namespaceSuite("MEMORY", () => kv(new Map()));
namespaceSuite("LRU", () => kv(new LRUCache({ max: 10_000 })));
namespaceSuite("LEVEL", () => kv(new MemoryLevel()));
namespaceSuite("INDEXEDDB", () => kv(new FakeFactory()));
namespaceSuite("STORAGE", () => (localStorage.clear(), kv(localStorage)), {
  valueBytes: 1_000_000,
});
// As Workers KV: keys of 512 bytes with all that stands before them, no commit, and texts of 25
// MiB.
namespaceSuite("NAMESPACE", () => kv(namespace(kv(new Map()), "outer")), {
  valueBytes: 18 * 1024 * 1024,
});
for (const kind of ["SQLITE", "FILE", "FOLDER"] as const) {
  namespaceSuite(kind, async () => {
    for (const file of readdirSync(folder))
      rmSync(`${folder}/${file}`, { recursive: true, force: true });
    return kv((await openClient(kind, folder)) as never, { timeout: 0 }) as Store;
  });
}

describe("a namespace as a client", () => {
  for (const [over, open] of [
    ["memory", () => kv(new Map())],
    ["SQLite", () => kv(new DatabaseSync(":memory:"))],
  ] as const) {
    // The values that a test expects to be lost are of the namespace's store, which is below.
    for (const test of conformance({ open: () => kv(namespace(open(), "conformance")), runs: 5 }))
      it(`over ${over}: ${test.name}`, test.run);
  }
});

describe("namespaces in a folder", () => {
  const dataDir = (): string => place();

  it("are shared by two that know nothing of each other, and by processes", async () => {
    const dir = dataDir();
    const [one, two] = [createKV({ dataDir: dir }), createKV({ dataDir: dir })];
    expect(existsSync(`${dir}/kv.db`)).toBe(false);
    await Promise.all([one.namespace("a").put("key", "one"), two.namespace("b").put("key", "two")]);
    expect(await two.namespace("a").get("key")).toBe("one");
    expect([one.storage, await one.namespace("b").get("key")]).toEqual(["SQLITE", "two"]);
    await two.close();
    expect(await one.namespace("b").get("key")).toBe("two");
    const bytes = randomBytes(100_000);
    await one.namespace("a").put("bytes", bytes);
    await one.close();
    const db = new DatabaseSync(`${dir}/kv.db`);
    const row = db
      .prepare(
        "SELECT typeof(value) AS type, length(value) AS length FROM kv WHERE key = 'a/v/bytes'",
      )
      .get();
    expect(row).toEqual({ type: "blob", length: 100_003 });
    expect(db.prepare("PRAGMA journal_mode").get()).toEqual({ journal_mode: "wal" });
    db.close();
  });

  it("agree on value and listing, also when writers are killed", async () => {
    const dir = dataDir();
    const own = createKV({ dataDir: dir });
    const shared = own.namespace("shared");
    await shared.put("key", "first.", { metadata: "first" });
    const agrees = async (): Promise<string> => {
      const { value, metadata } = await shared.getWithMetadata<string>("key");
      expect(value!.startsWith(`${metadata}.`)).toBe(true);
      return metadata!;
    };
    const writers = ["one", "two"].map((name) => start("race", dir, name, "100000"));
    const seen = new Set<string>();
    await until(
      "both have written",
      async () => seen.add((await agrees()).split(".")[0]!).has("one") && seen.has("two"),
    );
    const ended = writers.map((writer) => once(writer, "close"));
    for (const writer of writers) writer.kill("SIGKILL");
    await Promise.all(ended);
    const [key] = (await shared.list()).keys;
    expect(key!.metadata).toBe(await agrees());
    await run("race", dir, "three", "20");
    expect(await agrees()).toBe("three.19");
    await own.close();
  });

  it("need no set-up: .anykv/data/kv.db under the working directory", async () => {
    const dir = dataDir();
    expect(JSON.parse(await run("default", dir))).toEqual(["SQLITE", "world"]);
    expect(existsSync(`${dir}/.anykv/data/kv.db`)).toBe(true);
  });

  it("say why they cannot be opened", async () => {
    const dir = dataDir();
    const file = createKV({ dataDir: `${helper}/below` });
    await expect(file.namespace("a").get("b")).rejects.toMatchObject({
      code: "KV_CONNECTION",
      client: "SQLITE",
    });
    await file.close();
    const own = createKV({ dataDir: dir });
    await own.close();
    await expect(own.namespace("a").get("b")).rejects.toMatchObject({ code: "KV_CLOSED" });
    expect(readdirSync(dir)).toEqual([]);
  });
});
