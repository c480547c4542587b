import { beforeEach, expect, it, vi } from "vitest";

// Loaded anew for each case: the first call of a process loads the code of its operation.
const open = async (): Promise<ReturnType<typeof import("../../src/index.ts").kv>> => {
  const { kv } = await import("../../src/index.ts");
  const store = kv(new Map());
  await store.set("user:ann", 1);
  await store.set("team:x", 2);
  return store;
};
beforeEach(() => vi.resetModules());

const METHODS = ["clear", "prune", "keys", "values", "entries", "iterate"] as const;

for (const method of METHODS) {
  it(`rejects an argument of ${method}(), and names the code to write`, async () => {
    const store = await open();
    const call = async (...args: unknown[]): Promise<unknown> => {
      const result = (store[method] as (...args: unknown[]) => unknown)(...args);
      return method === "iterate" ? (result as AsyncGenerator).next() : result;
    };
    const rejection = {
      code: "KV_INVALID_VALUE",
      client: "MEMORY",
      message:
        `${method}() means the whole store and takes no argument: write ` +
        `store.prefix("user:").${method}() for a part of it`,
    };
    // The first call loads code, the second one finds it loaded.
    for (const argument of ["user:", "user:", { prefix: "user:" }, 0, null]) {
      await expect(call(argument)).rejects.toMatchObject(rejection);
    }
    await expect(call(undefined, "user:")).rejects.toMatchObject(rejection);
    expect(await store.get("team:x")).toBe(2);
    await expect(call(undefined)).resolves.toSatisfy(() => true);
    await expect(call()).resolves.toSatisfy(() => true);
  });
}

it("keeps the filter of all(), and the surplus arguments of item methods", async () => {
  const store = await open();
  expect(await store.all("user:")).toEqual({ "user:ann": 1 });
  expect(await Promise.all(["user:ann", "team:x"].map(store.get))).toEqual([1, 2]);
  expect(await Promise.all(["user:ann"].map(store.has))).toEqual([true]);
  expect(await Promise.all(["user:ann"].map(store.entry))).toMatchObject([{ value: 1 }]);
  expect(await Promise.all(["x", "y"].map(store.set as never))).toEqual(["x", "y"]);
  expect(await Promise.all([1, 2].map(store.add as never))).toHaveLength(2);
  expect(await Promise.all(["user:ann"].map(store.del))).toEqual(["user:ann"]);
});

it("says that add() makes the key", async () => {
  const store = await open();
  const rejection = {
    code: "KV_INVALID_EXPIRES",
    message: 'add() makes the key: write add(value, { expires: "1h" }), or set(key, value)',
  };
  await expect(store.add("key", "value" as never)).rejects.toMatchObject(rejection);
  await expect(store.add({ a: 1 }, "1h" as never)).rejects.toMatchObject(rejection);
  expect(await store.keys()).toHaveLength(2);
});
