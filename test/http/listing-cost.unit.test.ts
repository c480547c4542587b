import { expect, it } from "vitest";
import { http } from "../../src/clients/http/index.ts";
import { createHandler, spaceOf } from "../../src/http/index.ts";
import kv from "../../src/index.ts";

const TENANTS = [
  { token: "0123456789abcdef", space: "small" },
  { token: "fedcba9876543210", space: "large" },
];

/** A Map that counts the records that are read, and the walks over all of its keys. */
class Counted extends Map<unknown, unknown> {
  reads = 0;
  walks = 0;

  override get(key: unknown): unknown {
    this.reads++;
    return super.get(key);
  }

  override keys(): ReturnType<Map<unknown, unknown>["keys"]> {
    this.walks++;
    return super.keys();
  }
}

it("lists a space in memory at the cost of the page, whatever other tenants store", async () => {
  const map = new Counted();
  const own = kv(map);
  const handler = createHandler(own, { tokens: TENANTS });
  const client = http("http://kv.test", {
    token: TENANTS[0]!.token,
    fetch: (url, init) => handler(new Request(url, init)),
  });
  const store = kv(client);
  await store.setMany(Array.from({ length: 30 }, (_, i) => [`k${i + 10}`, i]));
  const other = spaceOf(own, "large");
  for (let i = 0; i < 20; i++)
    await other.setMany(Array.from({ length: 1000 }, (_, j) => [`k${i * 1000 + j}`, j]));
  await store.list({ limit: 10 });
  const before = { reads: map.reads, walks: map.walks };
  let { cursor } = await store.list({ limit: 10 });
  for (let i = 0; i < 5; i++) {
    await other.set(`new${i}`, i);
    const page = await store.list({ limit: 10, cursor });
    cursor = page.cursor;
  }
  expect(map.walks).toBe(before.walks);
  expect(map.reads - before.reads).toBeLessThan(200);
});
