import localforage from "localforage";
import { describe, expect, it } from "vitest";
import kv from "../../../src/index.ts";
import { forages } from "../../support/browser-clients.ts";
import { behaves } from "../../suites/browser-suite.ts";
import { forageBehaves } from "../../suites/forage-suite.ts";

for (const subject of forages) behaves(subject);
forageBehaves("INDEXEDDB");
forageBehaves("LOCALSTORAGE");

describe("FORAGE on a full localStorage", () => {
  it("keeps old values, and makes all changes of a commit or none", async () => {
    const instance = localforage.createInstance({
      name: "anykv-full",
      driver: localforage.LOCALSTORAGE,
    });
    const store = kv(instance);
    await store.setMany([
      ["a", "old"],
      ["b", "x".repeat(1_000_000)],
    ]);
    await expect(store.set("a", "x".repeat(6_000_000))).rejects.toMatchObject({
      code: "KV_QUOTA",
      client: "FORAGE",
      key: "a",
    });
    const before = { ...localStorage };
    // The journal of so large a commit does not fit; that of the other does, and its last write
    // does not.
    for (const size of [6_000_000, 3_000_000]) {
      const changes = [
        { key: "a", value: "new" },
        { key: "c", value: "x" },
        { key: "d", value: "y".repeat(size) },
      ];
      await expect(store.commit([], changes)).rejects.toMatchObject({ code: "KV_QUOTA" });
      expect({ ...localStorage }).toEqual(before);
    }
    await store.clear();
    await instance.dropInstance();
  });

  it("skips texts of others that its driver cannot read", async () => {
    const instance = localforage.createInstance({
      name: "anykv-raw",
      driver: localforage.LOCALSTORAGE,
    });
    const store = kv(instance);
    await store.set("a", 1);
    localStorage.setItem("anykv-raw/raw", "no JSON {");
    expect(await store.entries()).toEqual([["a", 1]]);
    await expect(store.get("raw")).rejects.toMatchObject({ code: "KV_FOREIGN" });
    await store.clear();
    expect(localStorage.getItem("anykv-raw/raw")).toBe("no JSON {");
    await store.set("raw", 2);
    expect(await store.get("raw")).toBe(2);
    await instance.dropInstance();
  });
});
