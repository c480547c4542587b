import { describe, expect, it } from "vitest";
import kv from "../../../src/index.ts";
import { storages } from "../../support/browser-clients.ts";
import { behaves } from "../../suites/browser-suite.ts";

for (const subject of storages) behaves(subject);

describe("a full Web Storage", () => {
  for (const subject of storages) {
    it(`keeps the old value (${subject.name})`, async () => {
      const area = (await subject.create()) as Storage;
      const store = kv(area);
      await store.set("a", "old");
      await expect(store.set("a", "x".repeat(6_000_000))).rejects.toMatchObject({
        code: "KV_QUOTA",
        client: "STORAGE",
        key: "a",
      });
      expect(await store.get("a")).toBe("old");

      // To the last character: what fits fits, one more does not.
      for (let size = 5_000_000; size > 0; size = size >> 1)
        await store.set(`filler${size}`, "x".repeat(size)).catch(() => {});
      await expect(store.set("new", "x".repeat(10_000))).rejects.toMatchObject({
        code: "KV_QUOTA",
      });
      expect(await store.has("new")).toBe(false);
      await store.del("filler5000000");
      await store.clear();
      await subject.cleanup();
    });

    it(`makes all changes of a commit or none (${subject.name})`, async () => {
      const area = (await subject.create()) as Storage;
      const store = kv(area);
      await store.setMany([
        ["a", "old"],
        ["b", "x".repeat(4_000_000)],
      ]);
      const before = { ...area };
      const changes = [
        { key: "a", value: "new" },
        { key: "c", value: 1 },
        { key: "b", value: "y".repeat(6_000_000) },
      ];
      await expect(store.commit([], changes)).rejects.toMatchObject({ code: "KV_QUOTA", key: "b" });
      expect({ ...area }).toEqual(before);
      await expect(
        store.setMany(changes.map(({ key, value }) => [key, value] as const)),
      ).rejects.toMatchObject({ code: "KV_QUOTA" });
      expect({ ...area }).toEqual(before);
      await subject.cleanup();
    });
  }
});
