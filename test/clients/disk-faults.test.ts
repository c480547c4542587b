import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import kv, { type Store } from "../../src/index.ts";
import { tree } from "../helpers/disk.ts";
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
