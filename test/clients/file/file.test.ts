import fs, {
  type BigIntStats,
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Store } from "../../../src/api.ts";
import { file } from "../../../src/clients/file/index.ts";
import type { KvError } from "../../../src/errors.ts";
import kv from "../../../src/index.ts";
import { StoredRecord } from "../../../src/record/record.ts";
import { certify } from "../../suites/certify.ts";
import { place, textOf, tree } from "../../support/disk.ts";
import { eventually } from "../../support/eventually.ts";
import { run, runLimited } from "../../support/processes.ts";
import { PATIENT } from "../../support/patient.ts";

const storeAt = (path: string): Store => kv(pathToFileURL(path), PATIENT);
const newPath = (): string => join(place(), "data.json");
const version = "0123456789abcdef0123";

let path = "";
certify("FILE", {
  open: () => storeAt((path = newPath())),
  reopen: () => storeAt(path),
  foreign: {
    put(_store, key) {
      const object = existsSync(path) ? JSON.parse(textOf(path)) : {};
      writeFileSync(path, JSON.stringify({ ...object, [key]: "theirs" }));
    },
    has: (_store, key) => JSON.parse(textOf(path))[key] === "theirs",
  },
});

/** Watches a function of `node:fs`, wherever it was imported. */
function watch(name: "renameSync" | "readFileSync"): { readonly calls: number } {
  const spy = vi.spyOn(fs, name);
  syncBuiltinESMExports();
  return {
    get calls() {
      return spy.mock.calls.filter((args) =>
        args.some((arg) => typeof arg === "string" && arg.endsWith("data.json")),
      ).length;
    },
  };
}

/** Makes the times of files move in steps of so many nanoseconds, as they do on older systems. */
function coarsen(step: bigint): void {
  for (const name of ["statSync", "fstatSync"] as const) {
    const real = fs[name] as (...args: unknown[]) => BigIntStats | undefined;
    vi.spyOn(fs, name).mockImplementation(((...args: unknown[]) => {
      const stats = real(...args);
      if (typeof stats?.mtimeNs !== "bigint") return stats;
      return Object.assign(stats, {
        mtimeNs: stats.mtimeNs - (stats.mtimeNs % step),
        ctimeNs: stats.ctimeNs - (stats.ctimeNs % step),
      });
    }) as never);
  }
  syncBuiltinESMExports();
}

afterEach(() => {
  vi.restoreAllMocks();
  syncBuiltinESMExports();
});

describe("where the file is", () => {
  it.each(["cache", "data.json5", "ü ñ 100% #1?.json"])("takes any name: %s", async (name) => {
    const folder = place();
    await storeAt(join(folder, name)).set("a", 1);
    expect(tree(folder)).toEqual([name]);
  });

  it("decodes a URL in a text", async () => {
    const folder = place();
    await kv(`file://${folder}/my%20data.json`).set("a", 1);
    expect(tree(folder)).toEqual(["my data.json"]);
  });

  it.each(["#1/data.json", "?1/data.json", "%zz.json", "%2F.json"])(
    "refuses a URL that names another path than it seems to: %s",
    async (name) => {
      const folder = place();
      await expect(kv(`file://${folder}/${name}`).set("a", 1)).rejects.toMatchObject({
        code: "KV_INVALID_CLIENT",
        client: "FILE",
      });
      expect(tree(folder)).toEqual([]);
    },
  );

  it("refuses a folder, a relative path, and a value that is no URL", async () => {
    const folder = place();
    await expect(kv("file:data.json").get("a")).rejects.toMatchObject({
      code: "KV_INVALID_CLIENT",
    });
    await expect(kv("file://data.json").get("a")).rejects.toMatchObject({
      code: "KV_INVALID_CLIENT",
    });
    await expect(kv(`file://${folder}`).get("a")).rejects.toMatchObject({
      code: "KV_INVALID_CLIENT",
    });
    expect(() => file("data.json")).toThrow(expect.objectContaining({ code: "KV_INVALID_CLIENT" }));
  });

  it("reads without making anything, and makes folders with the first write", async () => {
    const folder = place();
    const store = storeAt(join(folder, "a/b/data.json"));
    expect(await store.get("a")).toBe(null);
    expect(await store.keys()).toEqual([]);
    await store.prune();
    expect(tree(folder)).toEqual([]);
    await store.set("a", 1);
    expect(tree(folder)).toEqual(["a", "a/b", "a/b/data.json"]);
  });
});

describe("the text of the file", () => {
  it("is JSON with one entry a line", async () => {
    const path = newPath();
    const store = storeAt(path);
    await store.set("b", { nested: [1, 2] }, { metadata: "m" });
    await store.set("__proto__", "own");
    const text = textOf(path);
    expect(Object.keys(JSON.parse(text))).toEqual(["b", "__proto__"]);
    expect(text.split("\n")).toHaveLength(5);
    expect(text.replace(/"[0-9a-f]{20}"/, '"…"')).toContain(
      '\n  "b": {"kv":1,"version":"…","expires":null,"metadata":"m","value":{"nested":[1,2]}},\n',
    );
    expect(await storeAt(path).get("__proto__")).toBe("own");
  });

  it("stays as it is when it is only read", async () => {
    const path = newPath();
    const text = '{ "theme" : "dark",\n\n "n":1 }';
    writeFileSync(path, text);
    const store = storeAt(path);
    expect(await store.keys()).toEqual([]);
    expect(await store.has("theme")).toBe(false);
    await expect(store.get("theme")).rejects.toMatchObject({ code: "KV_FOREIGN", key: "theme" });
    await store.del("absent");
    await store.clear();
    expect(textOf(path)).toBe(text);
  });

  it("keeps foreign members through every write, to the digit", async () => {
    const path = newPath();
    writeFileSync(
      path,
      '{"theme":"dark", "id": 12345678901234567890,\n"deep":{"a" : ["\\"}", ' +
        '{"b":"\\\\"}]}, "__proto__": 1.0}',
    );
    const store = storeAt(path);
    await store.set("a", 1);
    await store.set("theme", "ours");
    await store.set("a", 2);
    await store.clear();
    expect(textOf(path)).toBe(
      '{\n  "id": 12345678901234567890,\n  "deep": {"a" : ["\\"}", {"b":"\\\\"}]},\n  ' +
        '"__proto__": 1.0\n}\n',
    );
  });

  it("may be laid out anew by an editor, with a byte order mark too", async () => {
    const path = newPath();
    const store = storeAt(path);
    await store.set("a", { x: [1] }, { expires: "1h", metadata: { m: 1 } });
    await store.set("b", "text");
    const before = await store.list();
    writeFileSync(path, `\uFEFF${JSON.stringify(JSON.parse(textOf(path)), null, 2)}`);
    expect(await store.list()).toEqual(before);
    await store.set("c", 1);
    expect(textOf(path).split("\n")).toHaveLength(6);
    expect(await store.get("a")).toEqual({ x: [1] });
  });

  it("names the key of a damaged record, and shows the others", async () => {
    const path = newPath();
    writeFileSync(
      path,
      `{"a":{"kv":1,"version":"${version}","expires":null,"metadata":1},"b":{"kv":1,` +
        `"version":"${version}","expires":null,"value":2}}`,
    );
    const store = storeAt(path);
    await expect(store.get("a")).rejects.toMatchObject({ code: "KV_CORRUPT", key: "a" });
    expect(await store.get("b")).toBe(2);
    expect(await store.keys()).toEqual(["a", "b"]);
    await expect(store.values()).rejects.toMatchObject({ code: "KV_CORRUPT", key: "a" });
    await store.set("a", 1);
    expect(await store.values()).toEqual([1, 2]);
  });

  const broken = [
    "",
    " \n",
    "[]",
    "null",
    '"text"',
    "{",
    '{"a":1}}',
    '{"a":1',
    "{'a':1}",
    Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]),
  ];
  it.each(broken.map((content) => [JSON.stringify(content.toString()), content]))(
    "is left alone when it is not a JSON object: %s",
    async (_, content) => {
      const path = newPath();
      writeFileSync(path, content);
      const store = storeAt(path);
      const operations: (() => Promise<unknown>)[] = [
        () => store.get("a"),
        () => store.set("a", 1),
        () => store.add(1),
        () => store.has("a"),
        () => store.del("a"),
        () => store.getMany(["a"]),
        () => store.setMany([["a", 1]]),
        () => store.delMany(["a"]),
        () => store.keys(),
        () => store.all(),
        () => store.list(),
        () => store.entry("a"),
        () => store.touch("a", 1),
        () => store.clear(),
        () => store.prune(),
        () => store.commit([], [{ key: "a", value: 1 }]),
      ];
      for (const operation of operations)
        await expect(operation()).rejects.toMatchObject({ code: "KV_CORRUPT", client: "FILE" });
      // The engine's message shows some of the content.
      expect(await store.get("a").catch((error: KvError) => error.cause)).toBe(undefined);
      expect(readFileSync(path)).toEqual(Buffer.from(content));
      writeFileSync(path, "{}");
      await store.set("a", 1);
      expect(await store.get("a")).toBe(1);
    },
  );
});

describe("reading", () => {
  it("is answered from memory", async () => {
    const store = storeAt(newPath());
    await store.setMany(Array.from({ length: 1000 }, (_, i) => [`key ${i}`, i]));
    // For as long as the clock of the file system stands still, a change might not show.
    for (const end = performance.now() + 40; performance.now() < end;) await store.get("key 1");
    const { calls } = watch("readFileSync");
    for (let i = 0; i < 1000; i++) expect(await store.get(`key ${i}`)).toBe(i);
    expect(calls).toBe(0);
  });

  it.each([
    ["of this machine", 1n],
    ["that moves in steps", 10_000_000n],
    ["of whole seconds", 1_000_000_000n],
  ])(
    "sees at once what others write, in place or by replacing the file, with a file clock %s",
    async (_, step) => {
      coarsen(step);
      const path = newPath();
      const store = storeAt(path);
      await store.set("n", 1000);
      for (let n = 1001; n < 1100; n++) {
        const text = textOf(path).replace(/"value":\d+/, `"value":${n}`);
        if (n % 2 === 0) writeFileSync(path, text);
        else {
          writeFileSync(`${path}.new`, text);
          renameSync(`${path}.new`, path);
        }
        expect(await store.get("n")).toBe(n);
        if (n % 10 === 0) await store.set("n", n);
      }
      rmSync(path);
      expect(await store.get("n")).toBe(null);
      await store.set("a", 1);
      expect(await store.keys()).toEqual(["a"]);
    },
  );

  it("goes on while others write: a listing is never cut", async () => {
    const store = storeAt(newPath());
    const keys = Array.from({ length: 50 }, (_, i) => `stays ${i}`).sort();
    await store.setMany(keys.map((key) => [key, 1]));
    const end = new AbortController();
    const writing = (async () => {
      for (let i = 0; !end.signal.aborted; i++)
        await store.set(`other ${i % 7}`, i % 3 === 0 ? null : i);
    })();
    for (let i = 0; i < 60; i++) {
      const found: string[] = [];
      for await (const [key] of store) if (key.startsWith("stays")) found.push(key);
      expect(found).toEqual(keys);
    }
    end.abort();
    await writing;
  });
});

describe("writing", () => {
  it("replaces the file once for all writes that come together", async () => {
    const path = newPath();
    const store = storeAt(path);
    await store.set("a", 0);
    const renames = watch("renameSync");
    await Promise.all(Array.from({ length: 1000 }, (_, i) => store.set(`key ${i}`, i)));
    expect(renames.calls).toBe(1);
    expect(Object.keys(JSON.parse(textOf(path)))).toHaveLength(1001);
    await Promise.all([store.del("a"), store.prefix("key 1").clear(), store.set("b", 1)]);
    expect(renames.calls).toBe(2);
  });

  it("applies writes and commits in the order of the calls", async () => {
    const adapter = await file(pathToFileURL(newPath())).open();
    const absent = { key: "a", version: null };
    const write = (key: string, value: number) => ({
      key,
      record: new StoredRecord(value, null, version, null),
    });
    const results = await Promise.all([
      adapter.commit!([absent], [write("a", 1)], 1),
      adapter.commit!([absent], [write("a", 2)], 1),
      adapter.del("a"),
      adapter.commit!([absent], [write("a", 3), write("bc", 3)], 1),
      adapter.set("a", write("a", 4).record),
      adapter.clear!("b"),
    ]);
    expect(results.map((result) => Object(result).ok)).toEqual([
      true,
      false,
      undefined,
      true,
      undefined,
      undefined,
    ]);
    expect(await adapter.getMany!(["a", "bc"])).toEqual([write("a", 4).record, null]);
  });

  it("rejects only the commit that meets a foreign item", async () => {
    const path = newPath();
    writeFileSync(path, '{"theirs":1}');
    const store = storeAt(path);
    const [refused] = await Promise.allSettled([
      store.commit([{ key: "theirs", version: null }], [{ key: "b", value: 1 }]),
      store.set("a", 1),
    ]);
    expect(refused).toMatchObject({
      status: "rejected",
      reason: { code: "KV_FOREIGN", key: "theirs" },
    });
    expect(await store.keys()).toEqual(["a"]);
  });

  it("is done when close() resolves", async () => {
    const path = newPath();
    const store = storeAt(path);
    const writing = store.set("a", 1);
    await store.close();
    expect(JSON.parse(textOf(path)).a.value).toBe(1);
    await writing;
  });

  it("keeps the mode of the file, and the link to it", async () => {
    const folder = place();
    mkdirSync(join(folder, "real"));
    const real = join(folder, "real/data.json");
    const link = join(folder, "link.json");
    symlinkSync("real/data.json", link);
    await storeAt(link).set("a", 1);
    expect(JSON.parse(textOf(real)).a.value).toBe(1);
    chmodSync(real, 0o606);
    await storeAt(link).set("a", 2);
    expect(statSync(real).mode & 0o777).toBe(0o606);
    expect(tree(folder)).toEqual(["link.json", "real", "real/data.json"]);
    expect(textOf(link)).toBe(textOf(real));
  });

  it("loses nothing between stores over one file with several names", async () => {
    const folder = place();
    mkdirSync(join(folder, "real"));
    symlinkSync("real", join(folder, "link"));
    const stores = [
      `file://${folder}/real/data.json`,
      `file://${folder}/link/data.json`,
      `file://${folder}/real/../real/./data.json`,
    ].map((url) => kv(url as never));
    await Promise.all(Array.from({ length: 99 }, (_, i) => stores[i % 3]!.set(`key ${i}`, i)));
    for (const store of stores) expect(await store.keys()).toHaveLength(99);
    await stores[0]!.set("last", 1);
    expect(await stores[1]!.get("last")).toBe(1);
  });

  it("fails as a whole when the file cannot be written, and works again afterwards", async () => {
    const path = newPath();
    const store = storeAt(path);
    await store.set("a", 1);
    const text = textOf(path);
    const obstacle = join(path, "../.data.json.anykv-lock");
    writeFileSync(obstacle, "");
    const results = await Promise.allSettled([
      store.set("a", 2),
      store.set("b", 2),
      store.del("a"),
      store.clear(),
    ]);
    for (const result of results)
      expect(result).toMatchObject({
        status: "rejected",
        reason: { code: "KV_CONNECTION", client: "FILE" },
      });
    expect(textOf(path)).toBe(text);
    expect(await store.all()).toEqual({ a: 1 });
    rmSync(obstacle);
    await store.set("b", 3);
    expect(await store.all()).toEqual({ a: 1, b: 3 });
  });

  it("rejects writes to a file with hard links, which would diverge", async () => {
    const path = newPath();
    const store = storeAt(path);
    await store.set("a", 1);
    const other = join(path, "../other.json");
    linkSync(path, other);
    for (const linked of [store, storeAt(other)]) {
      for (const write of [() => linked.set("a", 2), () => linked.del("a"), () => linked.clear()]) {
        await expect(write()).rejects.toMatchObject({ code: "KV_INVALID_CLIENT", client: "FILE" });
      }
      expect(await linked.get("a")).toBe(1);
    }
    expect(textOf(other)).toBe(textOf(path));
    rmSync(other);
    await store.set("a", 3);
    expect(await storeAt(path).get("a")).toBe(3);
  });

  it("removes expired records from the file", async () => {
    const path = newPath();
    const store = storeAt(path);
    const past = Date.now() - 1;
    writeFileSync(
      path,
      `{"gone":{"kv":1,"version":"${version}","expires":${past},"value":"x"},` +
        `"stays":{"kv":1,"version":"${version}","expires":null,"value":1}}`,
    );
    expect(await store.prune()).toBe(1);
    expect(Object.keys(JSON.parse(textOf(path)))).toEqual(["stays"]);
  });

  it("sweeps expired records away with later writes", async () => {
    const path = newPath();
    const store = storeAt(path);
    await store.setMany(
      Array.from({ length: 300 }, (_, i) => [`old ${i}`, i]),
      { expires: 0.05 },
    );
    await store.set("stays", 0);
    await eventually(() => store.keys()).toEqual(["stays"]);
    for (let i = 0; i < 5; i++)
      await store.setMany(Array.from({ length: 130 }, (_, n) => [`new ${n}`, i]));
    expect(Object.keys(JSON.parse(textOf(path))).filter((key) => key.startsWith("old"))).toEqual(
      [],
    );
  });

  it("takes many keys, and lists them in order", async () => {
    const store = storeAt(newPath());
    await store.setMany(Array.from({ length: 100_000 }, (_, i) => [`key ${i}`, i]));
    expect(await store.keys()).toHaveLength(100_000);
    await store.set("one more", 1);
    expect((await store.list({ limit: 2, reverse: true })).entries.map(({ key }) => key)).toEqual([
      "one more",
      "key 99999",
    ]);
  });
});

describe("other processes", () => {
  it("lose nothing: two of them set 500 keys each", async () => {
    const folder = place();
    await Promise.all([
      run("fill", "FILE", folder, "left "),
      run("fill", "FILE", folder, "right "),
    ]);
    expect(await storeAt(join(folder, "data.json")).keys()).toHaveLength(1000);
    expect(tree(folder)).toEqual(["data.json"]);
  });

  it("count to 1000 together: 500 commits each", async () => {
    const folder = place();
    await Promise.all([
      run("increment", "FILE", folder, "500"),
      run("increment", "FILE", folder, "500"),
    ]);
    expect(await storeAt(join(folder, "data.json")).get("count")).toBe(1000);
  });

  it.each([
    ["folder", 0o555, 0o644],
    ["file", 0o777, 0o444],
  ])("read where the %s may not be written", async (_, folderMode, fileMode) => {
    const folder = place();
    const path = join(folder, "data.json");
    await storeAt(path).set("a", 1);
    const text = textOf(path);
    chmodSync(path, fileMode);
    chmodSync(folder, folderMode);
    expect(JSON.parse(await run("powerless", "FILE", folder))).toEqual([
      1,
      ["a"],
      "KV_CONNECTION EACCES",
    ]);
    chmodSync(folder, 0o755);
    expect(textOf(path)).toBe(text);
    expect(tree(folder)).toEqual(["data.json"]);
  });

  it.skipIf(process.platform === "win32")(
    "are told when there is no space, and nothing is changed",
    async () => {
      const folder = place();
      await storeAt(join(folder, "data.json")).set("a", 1);
      const text = textOf(join(folder, "data.json"));
      chmodSync(folder, 0o777);
      chmodSync(join(folder, "data.json"), 0o666);
      expect(JSON.parse(await runLimited("powerless", "FILE", folder))).toEqual([
        1,
        ["a"],
        "KV_QUOTA EFBIG",
      ]);
      expect(textOf(join(folder, "data.json"))).toBe(text);
      expect(tree(folder)).toEqual(["data.json"]);
    },
  );
});
