import { closeSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { Level } from "level";
import { describe, expect, it } from "vitest";
import kv, { type Store } from "../../src/index.ts";
import { place, tree } from "../support/disk.ts";
import { runWithFewFiles } from "../support/processes.ts";
import { canMount, makeReadOnly, mount } from "../support/mount.ts";

const STORES: { readonly [client: string]: (folder: string) => Store } = {
  FILE: (folder) => kv(pathToFileURL(join(folder, "data.json"))),
  FOLDER: (folder) => kv(pathToFileURL(`${folder}/data/`)),
};

describe.skipIf(!canMount).each(Object.entries(STORES))(
  "%s on a mounted file system",
  (client, open) => {
    it("rejects writes to a read-only one with EROFS, and reads", async () => {
      const folder = mount("1m");
      mkdirSync(join(folder, "empty"));
      await open(folder).set("a", 1);
      const before = tree(folder);
      makeReadOnly(folder);
      for (const [store, value] of [
        [open(folder), 1],
        [open(join(folder, "empty")), null],
        [open(join(folder, "none")), null],
      ] as const) {
        for (const write of [
          () => store.set("a", 2),
          () => store.del("a"),
          () => store.commit([], [{ key: "b", value: 1 }]),
        ]) {
          await expect(write()).rejects.toMatchObject({
            code: "KV_CONNECTION",
            client,
            cause: { code: "EROFS" },
          });
        }
        expect(await store.get("a")).toBe(value);
      }
      expect(tree(folder)).toEqual(before);
    });
  },
);

describe.skipIf(process.platform === "win32").each(Object.keys(STORES))(
  "%s without free descriptors",
  (client) => {
    it("rejects with EMFILE, frees its lock, and works once descriptors are free", async () => {
      const folder = place();
      const [refusals, held, last] = JSON.parse(
        await runWithFewFiles("exhausted", client, folder, "5"),
      ) as [string[], string[], number];
      expect(refusals).toContain("KV_CONNECTION EMFILE");
      expect(
        refusals.filter((refusal) => !["none", "KV_CONNECTION EMFILE"].includes(refusal)),
      ).toEqual([]);
      expect(held).toEqual([]);
      expect(last).toBe(4);
      // Another process, which could not tell a stuck lock from one in use.
      await STORES[client]!(folder).set("c", 1);
      expect(tree(folder).filter((path) => path.includes("lock"))).toEqual([]);
    });
  },
);

/** Fills a file system to its last byte; what it returns frees the space. */
function fill(folder: string): () => void {
  const path = join(folder, "ballast");
  const fd = openSync(path, "w");
  try {
    for (const size of [65_536, 4096, 1]) {
      try {
        for (;;) writeSync(fd, Buffer.alloc(size));
      } catch (error) {
        expect(error).toMatchObject({ code: "ENOSPC" });
      }
    }
  } finally {
    closeSync(fd);
  }
  return () => rmSync(path);
}

describe.skipIf(!canMount)("LEVEL on a full disk", () => {
  it("loses no acknowledged write, and works again once the database was reopened", async () => {
    const folder = mount("2m");
    const db = new Level(join(folder, "db"));
    const store = kv(db);
    const part = kv(db.sublevel("part"));
    await store.set("before", 1);
    const empty = fill(folder);
    // Small ones come after the one that does not fit, some of them before its failure is known.
    const together = await Promise.allSettled([
      store.set("large", "x".repeat(100_000)),
      ...Array.from({ length: 20 }, (_, i) => store.set(`s${i}`, i)),
    ]);
    expect(together[0]).toMatchObject({
      status: "rejected",
      reason: { code: "KV_QUOTA", client: "LEVEL" },
    });
    empty();
    const acknowledged = together.flatMap((result, i) =>
      result.status === "fulfilled" ? [`s${i - 1}`] : [],
    );
    for (const write of [
      () => store.set("late", 1),
      () => store.del("before"),
      () => store.commit([], [{ key: "late", value: 1 }]),
      () => part.set("late", 1),
    ]) {
      await expect(write()).rejects.toMatchObject({
        code: "KV_QUOTA",
        message: expect.not.stringContaining("delete"),
      });
    }
    expect(await store.get("before")).toBe(1);

    await db.close();
    await db.open();
    expect((await store.keys()).sort()).toEqual(["before", ...acknowledged].sort());
    await store.set("after", 1);
    await db.close();
    await db.open();
    expect(await store.get("after")).toBe(1);
    await store.close();
  });
});

describe.skipIf(!canMount).each(Object.entries(STORES))("%s on a full disk", (client, open) => {
  it("keeps the old records, and clears the store", async () => {
    const folder = mount("1m");
    const store = open(folder);
    await store.setMany([
      ["a", "x".repeat(9000)],
      ["b", 1],
    ]);
    const empty = fill(folder);
    await expect(store.set("c", "x".repeat(9000))).rejects.toMatchObject({
      code: "KV_QUOTA",
      client,
      message: expect.not.stringContaining("delete"),
    });
    expect(await store.keys()).toEqual(["a", "b"]);
    await store.clear();
    expect(await store.keys()).toEqual([]);
    expect(await open(folder).keys()).toEqual([]);
    empty();
    await store.set("d", 1);
    expect(await store.keys()).toEqual(["d"]);
  });
});

describe.skipIf(!canMount)("SQLITE on a full disk", () => {
  it("keeps the old records, and does not suggest deleting, which needs space too", async () => {
    const folder = mount("1m");
    const store = kv(new DatabaseSync(join(folder, "data.db")));
    await store.setMany(Array.from({ length: 50 }, (_, i) => [`k${i}`, "x".repeat(1000)]));
    const empty = fill(folder);
    for (const write of [
      () => store.set("a", "x".repeat(9000)),
      () => store.del("k1"),
      () => store.clear(),
    ]) {
      await expect(write()).rejects.toMatchObject({
        code: "KV_QUOTA",
        client: "SQLITE",
        message: expect.not.stringContaining("delete"),
      });
    }
    expect((await store.keys()).length).toBe(50);
    empty();
    await store.set("d", 1);
    expect(await store.get("d")).toBe(1);
    await store.close();
  });
});
