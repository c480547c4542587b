import { describe, expect, it } from "vitest";
import kv from "../../src/index.ts";
import { bitset, StaticStore } from "../../src/schema/index.ts";
import { hashOf, partOf, sourceOf } from "../../src/schema/linear-hash.ts";

const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `m${i}`);
const fields = {
  set: "set",
  list: "list",
  sorted: "sorted",
  hash: "hash",
  bits: bitset(12),
} as const;

describe("a large collection", () => {
  it("is a head and parts of about 64 members", async () => {
    const store = kv(new Map());
    const set = StaticStore("app", fields, { store }).take("set");
    await set.write(names(128));
    expect(await store.keys()).toEqual(["app:set"]);
    await set.add("one more");
    const [head, ...parts] = await store.keys();
    expect(head).toBe("app:set");
    expect(parts.map((key) => key.replace(/\.\w{14}\./, ".<generation>."))).toEqual([
      "app:set%.<generation>.0",
      "app:set%.<generation>.1",
      "app:set%.<generation>.2",
    ]);
    expect(await store.get(head!)).toEqual({
      set: { generation: expect.any(String), size: 129, count: 3, first: 0, until: null },
    });
    const members = (await store.getMany<string[]>(parts)).flatMap((part) => part ?? []);
    expect(members.sort()).toEqual([...names(128), "one more"].sort());
  });

  it("writes two records for one member, however many there are", async () => {
    const written: string[] = [];
    const map = new Map<string, unknown>();
    const store = kv({
      get: (key: string) => map.get(key),
      set: (key: string, value: unknown) => {
        written.push(key);
        map.set(key, value);
      },
      del: (key: string) => map.delete(key),
      *iterate(prefix: string) {
        for (const entry of map) if (entry[0].startsWith(prefix)) yield entry;
      },
    } as never);
    const app = StaticStore("app", fields, { store });
    await app.take("set").write(names(5000));
    await app.take("sorted").write(names(5000).map((name, i) => [name, i]));
    await app.take("list").write(names(5000));
    await app.take("hash").write(names(5000).map((name) => [name, name]));
    await app.take("bits").write(100_000, 1);
    const writes = async (work: () => Promise<unknown>): Promise<number> => {
      written.length = 0;
      await work();
      return written.length;
    };
    expect(await writes(() => app.take("set").remove("m7"))).toBe(2);
    expect(await writes(() => app.take("set").add("m7"))).toBe(2);
    expect(await writes(() => app.take("sorted").increment("m9"))).toBe(2);
    expect(await writes(() => app.take("list").push("last"))).toBe(2);
    expect(await writes(() => app.take("list").unshift("first"))).toBe(2);
    expect(await writes(() => app.take("list").shift())).toBeLessThanOrEqual(2);
    expect(await writes(() => app.take("hash").set("m1", "text"))).toBe(2);
    expect(await writes(() => app.take("bits").write(99_999, 1))).toBe(2);
    expect(await writes(() => app.take("set").add("m7"))).toBe(0);
    // A deadline that is moved again and again moves the head alone.
    await app.take("set").touch("2h");
    expect(await writes(() => app.take("set").touch("3h"))).toBe(1);
  });

  it("of a record that 0.1.0 wrote is divided by the first write", async () => {
    const store = kv(new Map());
    await store.set("app:set", { set: names(1000) });
    await store.set("app:list", { list: names(1000) });
    const app = StaticStore("app", fields, { store });
    expect([await app.take("set").size(), await app.take("set").has("m999")]).toEqual([1000, true]);
    expect(await store.keys()).toHaveLength(2);
    expect(await app.take("set").add(["m1", "new"])).toBe(1);
    expect(await app.take("list").pop()).toBe("m999");
    expect((await store.keys()).length).toBeGreaterThan(30);
    expect([await app.take("set").size(), await app.take("list").size()]).toEqual([1001, 999]);
  });

  it("reads as absent after the eviction of a part, and can be written anew", async () => {
    const store = kv(new Map());
    const app = StaticStore("app", fields, { store });
    await app.take("list").write(names(300));
    await store.del((await store.keys()).find((key) => key.endsWith(".0"))!);
    expect([await app.take("list").read(), await app.take("list").range(0, 1)]).toEqual([
      undefined,
      [],
    ]);
    expect(await app.take("list").shift()).toBeUndefined();
    await app.take("list").write(["a"]);
    expect(await app.take("list").read()).toEqual(["a"]);
    await app.take("list").erase();
    expect(await store.keys()).toEqual([]);
  });

  it("rejects a head that is none as a foreign value", async () => {
    const store = kv(new Map());
    await store.set("app:set", { set: { generation: 5 } });
    const set = StaticStore("app", fields, { store }).take("set");
    await expect(set.has("a")).rejects.toMatchObject({ code: "KV_FOREIGN" });
    await expect(set.add("a")).rejects.toMatchObject({ code: "KV_FOREIGN" });
    await set.erase();
    expect(await set.add("a")).toBe(1);
  });

  it("reads no half of a change that another store makes meanwhile", async () => {
    const map = new Map();
    const [one, other] = [kv(map), kv(kv(map))].map((store) =>
      StaticStore("app", fields, { store }).take("set"),
    );
    await one!.write(names(200));
    // Each change keeps the number of members: whatever is read has 200.
    const changes = (async () => {
      for (let i = 0; i < 100; i++) await other!.write(names(200 + i).slice(i));
    })();
    for (let i = 0; i < 50; i++) expect((await one!.read())!.size).toBe(200);
    await changes;
  });
});

describe("linear hashing", () => {
  it("moves members from one part alone when a part is added", () => {
    const hashes = names(2000).map((name) => hashOf(name, "seed"));
    for (let count = 1; count < 40; count++) {
      const source = sourceOf(count, count);
      for (const hash of hashes) {
        const [before, after] = [partOf(hash, count), partOf(hash, count + 1)];
        expect(after === before || (after === count && before === source)).toBe(true);
      }
    }
  });

  it("divides members evenly, and differently for each seed", () => {
    const sizes = Array.from({ length: 32 }, () => 0);
    for (const name of names(3200)) sizes[partOf(hashOf(name, "seed"), 32)]!++;
    expect(Math.max(...sizes)).toBeLessThan(160);
    expect(Math.min(...sizes)).toBeGreaterThan(50);
    expect(hashOf("a", "x")).not.toBe(hashOf("a", "y"));
  });
});
