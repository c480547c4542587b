import { expect, it } from "vitest";
import kv from "../../src/index.ts";
import { createKV, KV } from "../../src/namespace/index.ts";

it("needs no set-up in a browser: memory, and it says so", async () => {
  const sessions = KV.namespace("sessions");
  await sessions.put("a", { user: "ann" }, { expirationTtl: 60 });
  expect([KV.storage, await sessions.get("a", "json")]).toEqual(["MEMORY", { user: "ann" }]);
  expect(() => createKV({ dataDir: "x" }).storage).toThrow(
    expect.objectContaining({ code: "KV_NOT_SUPPORTED" }),
  );
});

it("keeps 25 MiB of bytes as they are in IndexedDB", async () => {
  indexedDB.deleteDatabase("namespace");
  const own = createKV({ store: kv("indexeddb://namespace", { timeout: "3m" }) });
  const files = own.namespace("files");
  const bytes = new Uint8Array(25 * 1024 * 1024);
  for (let i = 0; i < bytes.length; i += 65_536)
    crypto.getRandomValues(bytes.subarray(i, i + 65_536));
  await files.put("large", bytes, { metadata: { type: "image/png" } });
  await files.put("stream", (await files.get("large", "stream"))!);
  for (const key of ["large", "stream"]) {
    const found = new Uint8Array((await files.get(key, "arrayBuffer"))!);
    expect([found.length, found.every((byte, i) => byte === bytes[i])]).toEqual([
      bytes.length,
      true,
    ]);
  }
  expect((await files.list()).keys).toEqual([
    { name: "large", metadata: { type: "image/png" } },
    { name: "stream" },
  ]);
  await own.close();
});
