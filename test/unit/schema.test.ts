import { expect, it } from "vitest";
import kv from "../../src/index.ts";
import { rich } from "../../src/codec.ts";
import { bitset, DynamicStore, json, StaticStore } from "../../src/schema/index.ts";
import { z } from "zod";

it("runs the example that it follows", async () => {
  const store = StaticStore("foo", { bar: new DynamicStore("bar", z.array(z.object({ message: z.string() }))), baz: "set" });
  expect(await store.take("foo").take("bar").read()).toBeUndefined();
  await store.take("foo").take("bar").take("any").write([{ message: "Hello, World!" }]);
  await expect(store.take("foo").take("bar").take("any").write([{ message: 0 as never }])).rejects.toMatchObject({ code: "KV_VALIDATION", key: "foo:bar:any", client: "MEMORY", issues: [{ path: [0, "message"] }] });
  expect(() => store.take("notfoo" as "foo")).toThrow(expect.objectContaining({ code: "KV_INVALID_KEY" }));
  await store.take("foo").take("bar").take("some other key that does not exist yet").write([{ message: "Hello, World!" }]);
  expect(await store.keys()).toEqual(["bar"]);
  expect((await store.take("bar").keys()).sort()).toEqual(["any", "some other key that does not exist yet"]);
  expect(store.take("foo")).toBe(store);
});
void [kv, rich, bitset, json];
