import fs, {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { once } from "node:events";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Store } from "../../../src/api.ts";
import { fileName } from "../../../src/clients/folder/names.ts";
import kv from "../../../src/index.ts";
import { certify } from "../../suites/certify.ts";
import { place, textOf, tree } from "../../support/disk.ts";
import { valueOf } from "../../programs/other-process.ts";
import { run, runLimited, start } from "../../support/processes.ts";
import { PATIENT } from "../../support/patient.ts";

const storeAt = <V>(path: string): Store<V> => kv(pathToFileURL(`${path}/`), PATIENT) as Store<V>;
const newPath = (): string => join(place(), "data");

let path = "";
certify("FOLDER", {
  open: () => storeAt((path = newPath())),
  reopen: () => storeAt(path),
  foreign: {
    put(_store, key) {
      mkdirSync(path, { recursive: true });
      writeFileSync(join(path, fileName(key)), "theirs");
    },
    has: (_store, key) =>
      existsSync(join(path, fileName(key))) && textOf(join(path, fileName(key))) === "theirs",
  },
});

/** Counts how often the files of a folder are opened or read. */
function watch(path: string): { readonly calls: string[] } {
  const spies = [vi.spyOn(fs, "readFileSync"), vi.spyOn(fs, "openSync")];
  syncBuiltinESMExports();
  const isInside = (arg: unknown): arg is string =>
    typeof arg === "string" && arg.startsWith(`${path}/`);
  return {
    get calls() {
      return spies.flatMap((spy) =>
        spy.mock.calls.map(([first]) => first as unknown).filter(isInside),
      );
    },
  };
}

afterEach(() => {
  vi.restoreAllMocks();
  syncBuiltinESMExports();
});

const hostile = [
  "../x",
  "../../../../tmp/x",
  "/etc/passwd",
  "..\\x",
  "C:\\x",
  ".",
  "..",
  "/",
  "a/b",
  "a:b",
  "*",
  "?",
  "[a]",
  "%",
  "_",
  "'\"",
  "\n",
  "\0",
  "__proto__",
  "😀",
  "A",
  "a",
  "é",
  "e\u0301",
  "CON",
  "con",
  "nul.txt",
  "com1",
  "trailing.",
  "trailing ",
  " ",
  ".hidden",
  "-",
  "~",
  "%41",
  "a.json",
  "a.json.removed",
  "x".repeat(300),
  `${"x".repeat(300)}y`,
  "😀".repeat(128),
  "/".repeat(512),
  ".anykv-lock",
];

describe("keys and files", () => {
  it("keeps every key in a file of the folder, and nothing anywhere else", async () => {
    const outside = place();
    const path = join(outside, "deep/data");
    const store = storeAt(path);
    await Promise.all(hostile.map((key) => store.set(key, `value of ${key}`)));
    for (const key of hostile) expect(await store.get(key)).toBe(`value of ${key}`);
    expect((await store.keys()).sort()).toEqual([...hostile].sort());
    expect(tree(outside).filter((name) => !name.startsWith("deep/data/"))).toEqual([
      "deep",
      "deep/data",
    ]);
    const names = readdirSync(path);
    expect(new Set(names.map((name) => name.toLowerCase().normalize("NFC"))).size).toBe(
      hostile.length,
    );
    await store.delMany(hostile);
    expect(readdirSync(path)).toEqual([]);
  });

  it("shows a plain key in the name and a record in one line of JSON", async () => {
    const path = newPath();
    const store = storeAt(path);
    await store.set("user.1", { n: 1 });
    expect(textOf(join(path, "user.1.json"))).toMatch(
      /^\{"kv":1,"version":"[0-9a-f]{20}","expires":null,"value":\{"n":1\}\}\n$/,
    );
  });

  it("keeps a long key inside its file", async () => {
    const path = newPath();
    const store = storeAt(path);
    const key = `"\\${"😀".repeat(126)}`;
    await store.set(key, 1);
    const [name] = readdirSync(path);
    expect(JSON.parse(textOf(join(path, name!)))).toMatchObject({ key, kv: 1, value: 1 });
    // A file under another name is not the file of this key.
    fs.copyFileSync(
      join(path, name!),
      join(path, name!.replace(/~./, "~x").replace("~x", name!.includes("~0") ? "~1" : "~0")),
    );
    expect(await store.entries()).toEqual([[key, 1]]);
  });

  it("may be laid out anew by an editor", async () => {
    const path = newPath();
    const store = storeAt(path);
    await store.setMany(
      [
        ["a", { n: 1 }],
        ["x".repeat(300), [2]],
      ],
      { metadata: 1 },
    );
    const before = await store.list();
    for (const name of readdirSync(path))
      writeFileSync(
        join(path, name),
        JSON.stringify(JSON.parse(textOf(join(path, name))), null, 2),
      );
    expect(await store.list()).toEqual(before);
    expect((await store.keys()).sort()).toEqual(["a", "x".repeat(300)]);
  });

  it("makes the folder with the first write", async () => {
    const path = newPath();
    const store = storeAt(path);
    expect(await store.get("a")).toBe(null);
    expect(await store.keys()).toEqual([]);
    await store.prune();
    expect(existsSync(path)).toBe(false);
    await store.set("a", 1);
    expect(tree(path)).toEqual(["a.json"]);
  });

  it("refuses a file, and a URL that names another path than it seems to", async () => {
    const folder = place();
    writeFileSync(join(folder, "file"), "");
    await expect(kv(`file://${folder}/file/`).get("a")).rejects.toMatchObject({
      code: "KV_INVALID_CLIENT",
      client: "FOLDER",
      message: expect.stringContaining("end the URL without a slash"),
    });
    await expect(kv(`file://${folder}/#1/data/`).set("a", 1)).rejects.toMatchObject({
      code: "KV_INVALID_CLIENT",
    });
    expect(tree(folder)).toEqual(["file"]);
  });

  it("is one store through a link to the folder", async () => {
    const folder = place();
    mkdirSync(join(folder, "real"));
    symlinkSync("real", join(folder, "link"));
    const [one, other] = [storeAt(join(folder, "real")), storeAt(join(folder, "link"))];
    await Promise.all(
      Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? one : other).set(`key ${i}`, i)),
    );
    expect(await one.keys()).toHaveLength(40);
    expect(await other.get("key 0")).toBe(0);
  });
});

describe("files of others", () => {
  it("are ignored, and survive clear()", async () => {
    const path = newPath();
    const store = storeAt(path);
    await store.set("ours", 1);
    const strays = [
      "100%.json",
      ".json",
      "README.md",
      "Upper.json",
      "plain.json",
      "%61.json",
      "no-suffix",
      `${"x".repeat(40)}~${"0".repeat(64)}.json`,
    ];
    for (const name of strays) writeFileSync(join(path, name), '{"kv":2,"value":1}');
    writeFileSync(join(path, "empty.json"), "");
    mkdirSync(join(path, "sub.json"));
    writeFileSync(join(path, "sub.json/inner.json"), textOf(join(path, "ours.json")));
    const before = tree(path).filter((name) => name !== "ours.json");

    expect(await store.keys()).toEqual(["ours"]);
    expect(await store.entries()).toEqual([["ours", 1]]);
    for (const key of ["plain", "empty", "sub"])
      await expect(store.get(key)).rejects.toMatchObject({ code: "KV_FOREIGN", key });
    await store.prune();
    await store.clear();
    expect(tree(path)).toEqual(before);
  });

  it("are replaced by set() and removed by del(), but for a folder", async () => {
    const path = newPath();
    const store = storeAt(path);
    await store.set("x", 1);
    writeFileSync(join(path, "a.json"), "theirs");
    writeFileSync(join(path, "b.json"), "theirs");
    mkdirSync(join(path, "c.json"));
    await store.set("a", 1);
    await store.del("b");
    const results = await Promise.allSettled([
      store.set("x", 2),
      store.set("c", 1),
      store.set("y", 2),
      store.commit(
        [],
        [
          { key: "z", value: 1 },
          { key: "c", value: 1 },
        ],
      ),
    ]);
    expect(results.map(({ status }) => status)).toEqual([
      "fulfilled",
      "rejected",
      "fulfilled",
      "rejected",
    ]);
    expect(results[1]).toMatchObject({ reason: { code: "KV_FOREIGN", key: "c" } });
    expect(tree(path)).toEqual(["a.json", "c.json", "x.json", "y.json"]);
    expect(await store.get("x")).toBe(2);
  });

  it("cannot lead a listing or a deletion out of the folder by a link", async () => {
    const path = newPath();
    const store = storeAt(path);
    await store.set("a", 1);
    const secret = join(path, "../secret");
    writeFileSync(secret, "secret");
    symlinkSync("../secret", join(path, "link.json"));
    expect(await store.keys()).toEqual(["a"]);
    await store.set("link", 2);
    await store.del("link");
    await store.clear();
    expect(textOf(secret)).toBe("secret");
  });
});

describe("damaged files", () => {
  it("are named by get() at every length that is left, and leave the others alone", async () => {
    const path = newPath();
    const store = storeAt(path);
    const long = "long ".repeat(50);
    await store.setMany([
      ["a", { text: "some text" }],
      ["b", 2],
      [long, 3],
    ]);
    const damaged = join(path, "a.json");
    // The last byte is the end of the line, which is not missed.
    for (let length = textOf(damaged).length - 2; length > 8; length--) {
      truncateSync(damaged, length);
      await expect(store.get("a")).rejects.toMatchObject({
        code: "KV_CORRUPT",
        client: "FOLDER",
        key: "a",
      });
      expect(await store.getMany(["b", long])).toEqual([2, 3]);
    }
    truncateSync(join(path, fileName(long)), 300);
    await expect(store.get(long)).rejects.toMatchObject({ code: "KV_CORRUPT", key: long });
    await store.set("a", 1);
    await store.del(long);
    expect((await store.entries()).sort()).toEqual([
      ["a", 1],
      ["b", 2],
    ]);
  });

  it("are named by a listing of values, and listed by one of keys", async () => {
    const path = newPath();
    const store = storeAt(path);
    await store.setMany([
      ["a", "text"],
      ["b", 2],
    ]);
    truncateSync(join(path, "a.json"), 90);
    await expect(store.values()).rejects.toMatchObject({ code: "KV_CORRUPT", key: "a" });
    expect((await store.keys()).sort()).toEqual(["a", "b"]);
    await store.clear();
    expect(tree(path)).toEqual([]);
  });
});

describe("listing", () => {
  it("opens no file whose name shows another prefix", async () => {
    const path = newPath();
    const store = storeAt(path);
    await store.setMany(Array.from({ length: 50 }, (_, i) => [`b:${"x".repeat(i * 10)}${i}`, i]));
    await store.setMany([
      ["a:1", 1],
      ["A:1", 2],
      [`a:${"x".repeat(300)}`, 3],
    ]);
    const { calls } = watch(path);
    expect(await store.prefix("a:").entries()).toHaveLength(2);
    expect(calls.filter((name) => !/\/a%3a/.test(name) && !name.startsWith(`${path}/.`))).toEqual(
      [],
    );
  });

  it("reads only the head of a file for its key", async () => {
    const path = newPath();
    const store = storeAt(path);
    await store.setMany([
      ["a", "x".repeat(100_000)],
      ["k".repeat(300), "x".repeat(100_000)],
    ]);
    const spy = vi.spyOn(fs, "readFileSync");
    syncBuiltinESMExports();
    expect(await store.keys()).toHaveLength(2);
    expect(spy.mock.calls.filter(([name]) => String(name).startsWith(path))).toEqual([]);
  });

  it("reads one value more than a page shows, and no large ones ahead", async () => {
    const path = newPath();
    const store = storeAt(path);
    await store.setMany(Array.from({ length: 60 }, (_, i) => [`${i + 10}`, "x".repeat(200_000)]));
    const spy = vi.spyOn(fs, "readFileSync");
    syncBuiltinESMExports();
    const read = (): number =>
      spy.mock.calls.filter(([name]) => String(name).startsWith(path)).length;
    expect(
      (await store.list({ limit: 3 })).entries.map(({ key, value }) => [key, String(value).length]),
    ).toEqual([
      ["10", 200_000],
      ["11", 200_000],
      ["12", 200_000],
    ]);
    // The fourth says that there is another page.
    expect(read()).toBe(4);
    spy.mockClear();
    for await (const _ of store) break;
    expect(read()).toBe(5);
    spy.mockClear();
    expect(await store.values()).toHaveLength(60);
    expect(read()).toBe(60);
  });

  it("keeps the names of an unchanged folder, and sees every change of them", async () => {
    const path = newPath();
    const [store, other] = [storeAt(path), storeAt(path)];
    await store.setMany(Array.from({ length: 30 }, (_, i) => [`k${i + 10}`, i]));
    const hashed = `k99${"é".repeat(200)}`;
    await store.set(hashed, "hashed");
    const old = new Date(Date.now() - 60_000);
    fs.utimesSync(path, old, old);
    const spy = vi.spyOn(fs.promises, "readdir");
    syncBuiltinESMExports();
    const keys = async (limit: number): Promise<string[]> =>
      (await store.list({ prefix: "k", limit })).entries.map(({ key }) => key);
    expect(await keys(2)).toEqual(["k10", "k11"]);
    const before = spy.mock.calls.length;
    expect(before).toBeGreaterThan(0);
    expect(await keys(2)).toEqual(["k10", "k11"]);
    expect((await keys(100)).at(-1)).toBe(hashed);
    expect(spy.mock.calls.length).toBe(before);
    await other.set("k1", 1);
    await other.del("k11");
    expect(await keys(3)).toEqual(["k1", "k10", "k12"]);
    spy.mockRestore();
    syncBuiltinESMExports();
  });

  it("skips files that go while it runs, and keeps no file open", async () => {
    const path = newPath();
    const store = storeAt(path);
    await store.setMany(Array.from({ length: 1200 }, (_, i) => [`key ${i}`, i]));
    const seen = new Set<string>();
    for await (const [key] of store) {
      expect(seen.has(key)).toBe(false);
      seen.add(key);
      if (seen.size === 1)
        for (const name of readdirSync(path))
          if (name.length % 2 === 0) rmSync(join(path, name), { force: true });
    }
    expect(seen.size).toBeLessThan(1200);
    for await (const _ of store) break;
    await store.prune();
    await store.set("a", 1);
    const open = existsSync("/proc/self/fd")
      ? readdirSync("/proc/self/fd").map((fd) =>
          existsSync(`/proc/self/fd/${fd}`) ? fs.readlinkSync(`/proc/self/fd/${fd}`) : "",
        )
      : [];
    expect(open.filter((target) => target.startsWith(path))).toEqual([]);
  });

  it("sweeps expired records away with later writes", async () => {
    const path = newPath();
    const store = storeAt(path);
    await store.setMany(
      Array.from({ length: 300 }, (_, i) => [`old ${i}`, i]),
      { expires: new Date(Date.now() + 1000) },
    );
    const now = vi.spyOn(Date, "now").mockReturnValue(Date.now() + 2000);
    for (let i = 0; i < 5; i++)
      await store.setMany(Array.from({ length: 130 }, (_, n) => [`new ${n}`, i]));
    now.mockRestore();
    expect(readdirSync(path).filter((name) => name.startsWith("old"))).toEqual([]);
  });
});

describe("a commit of several keys", () => {
  // About forty programs are started, one after the other.
  it("is whole wherever the process is killed", { timeout: 900_000 }, async () => {
    const path = newPath();
    const folder = join(path, "..");
    const outcomes = new Set<string>();
    let output = "";
    for (let step = 0; output === ""; step++) {
      rmSync(path, { recursive: true, force: true });
      const store = storeAt<string>(path);
      await store.setMany([
        ["a", "old"],
        ["b", "old"],
        ["c", "old"],
      ]);
      output = await run("steps", "FOLDER", folder, String(step));

      const before = tree(path);
      const read = await Promise.all(["a", "b", "c", "d"].map((key) => store.get(key)));
      expect([
        ["old", "old", "old", null],
        ["new", null, "old", "new"],
      ]).toContainEqual(read);
      const all = Object.entries(await store.all());
      expect(all.sort()).toEqual(
        ["a", "b", "c", "d"].map((key, i) => [key, read[i]]).filter(([, value]) => value !== null),
      );
      expect((await store.keys()).sort()).toEqual(all.map(([key]) => key));
      // So far only readers were here, and a reader changes nothing.
      expect(tree(path)).toEqual(before);
      outcomes.add(`${read}${before.some((name) => name.includes("journal"))}`);

      await store.set("e", "next");
      expect(tree(path)).toEqual([...all.map(([key]) => `${key}.json`), "e.json"]);
      expect(await Promise.all(["a", "b", "c", "d"].map((key) => store.get(key)))).toEqual(read);
    }
    expect(output).toBe("done\n");
    // Killed before it counted, while the files were moved, and after that.
    expect(outcomes.size).toBeGreaterThanOrEqual(4);
  });
});

describe("other processes", () => {
  it("lose nothing: two of them set 500 keys each", async () => {
    const folder = place();
    await Promise.all([
      run("fill", "FOLDER", folder, "left "),
      run("fill", "FOLDER", folder, "right "),
    ]);
    expect(await storeAt(join(folder, "data")).keys()).toHaveLength(1000);
    expect(readdirSync(join(folder, "data"))).toHaveLength(1000);
  });

  it("count to 1000 together: 500 commits each", async () => {
    const folder = place();
    await Promise.all([
      run("increment", "FOLDER", folder, "500"),
      run("increment", "FOLDER", folder, "500"),
    ]);
    expect(await storeAt(join(folder, "data")).get("count")).toBe(1000);
  });

  it("never show a value that is missing or torn while they rewrite it", async () => {
    const folder = place();
    const child = start("rewrite", "FOLDER", folder);
    await once(child.stdout!, "data");
    const store = storeAt<ReturnType<typeof valueOf>>(join(folder, "data"));
    const seen = new Set<number>();
    while (seen.size < 100) {
      const value = await store.get("a");
      expect(value).toEqual(valueOf(value!.n));
      expect(await store.keys()).toEqual(["a"]);
      seen.add(value!.n);
    }
    child.stdin!.end();
    expect(await once(child, "close")).toEqual([0, null]);
  });

  it("read where they may not write", async () => {
    const folder = place();
    const path = join(folder, "data");
    await storeAt(path).set("a", 1);
    chmodSync(folder, 0o755);
    chmodSync(path, 0o555);
    expect(JSON.parse(await run("powerless", "FOLDER", folder))).toEqual([
      1,
      ["a"],
      "KV_CONNECTION EACCES",
    ]);
    chmodSync(path, 0o755);
  });

  it.skipIf(process.platform === "win32")(
    "are told when there is no space, and nothing is changed",
    async () => {
      const folder = place();
      const path = join(folder, "data");
      await storeAt(path).set("a", 1);
      chmodSync(folder, 0o755);
      chmodSync(path, 0o777);
      expect(JSON.parse(await runLimited("powerless", "FOLDER", folder))).toEqual([
        1,
        ["a"],
        "KV_QUOTA EFBIG",
      ]);
      expect(tree(path)).toEqual(["a.json"]);
    },
  );
});
