import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import kv, { type Store } from "../../src/index.ts";
import { place, tree } from "../helpers/disk.ts";
import { runWithFewFiles } from "../helpers/processes.ts";
import { canMount, makeReadOnly, mount } from "../helpers/mount.ts";

const STORES: { readonly [client: string]: (folder: string) => Store } = {
  FILE: (folder) => kv(pathToFileURL(join(folder, "data.json"))),
  FOLDER: (folder) => kv(pathToFileURL(`${folder}/data/`)),
};

describe.skipIf(!canMount).each(Object.entries(STORES))("%s on a mounted file system", (client, open) => {
  it("rejects writes to a read-only one with EROFS, and reads", async () => {
    const folder = mount("1m");
    mkdirSync(join(folder, "empty"));
    await open(folder).set("a", 1);
    const before = tree(folder);
    makeReadOnly(folder);
    for (const [store, value] of [[open(folder), 1], [open(join(folder, "empty")), null], [open(join(folder, "none")), null]] as const) {
      for (const write of [() => store.set("a", 2), () => store.del("a"), () => store.commit([], [{ key: "b", value: 1 }])]) {
        await expect(write()).rejects.toMatchObject({ code: "KV_CONNECTION", client, cause: { code: "EROFS" } });
      }
      expect(await store.get("a")).toBe(value);
    }
    expect(tree(folder)).toEqual(before);
  });
});

describe.skipIf(process.platform === "win32").each(Object.keys(STORES))("%s without free descriptors", (client) => {
  it("rejects with EMFILE, frees its lock at once, and works when descriptors are free again", async () => {
    const folder = place();
    const [refusals, held, last] = JSON.parse(await runWithFewFiles("exhausted", client, folder, "5")) as [string[], string[], number];
    expect(refusals).toContain("KV_CONNECTION EMFILE");
    expect(refusals.filter((refusal) => !["none", "KV_CONNECTION EMFILE"].includes(refusal))).toEqual([]);
    expect(held).toEqual([]);
    expect(last).toBe(4);
    // Another process, which could not tell a stuck lock from one in use.
    await STORES[client]!(folder).set("c", 1);
    expect(tree(folder).filter((path) => path.includes("lock"))).toEqual([]);
  });
});
