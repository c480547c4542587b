import { QueryClient } from "@tanstack/query-core";
import { experimental_createQueryPersister } from "@tanstack/query-persist-client-core";
import { describe, expect, it, vi } from "vitest";
import { rich } from "../../src/codec.ts";
import kv, { type Store } from "../../src/index.ts";
import {
  type StateStorageOptions,
  tanstackQueryStorage,
} from "../../src/with/tanstack-query/index.ts";
import { INTEGRATION_STORES, withCode } from "../support/integration-stores.ts";
import { failingClient } from "../support/plain-client.ts";

type Persister = ReturnType<typeof experimental_createQueryPersister<string>>;

/** A page with a persister. `fetched` counts what it loads from the server. */
function page(store: Store, options?: StateStorageOptions) {
  const fetched = vi.fn<(name: string) => void>();
  const persister: Persister = experimental_createQueryPersister({
    storage: tanstackQueryStorage(store, options),
  });
  const queries = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  const load = (name: string): Promise<unknown> =>
    queries.fetchQuery({
      queryKey: ["todo", name],
      staleTime: 60_000,
      persister: persister.persisterFn as never,
      queryFn: () => (fetched(name), { name }),
    });
  return { load, fetched, persister, queries };
}

describe.each(INTEGRATION_STORES)("TanStack Query on %s", (_, open) => {
  it("gives each query to the next page, as one record", async () => {
    const store = (await open()).prefix("tq:");
    const one = page(store, { prefix: "query:" });
    expect(await one.load("a")).toEqual({ name: "a" });
    await one.load("b");
    await expect.poll(async () => (await store.prefix("query:").keys()).length).toBe(2);
    const two = page(store, { prefix: "query:" });
    expect(await two.load("a")).toEqual({ name: "a" });
    expect(two.fetched).not.toHaveBeenCalled();
    await two.persister.removeQueries({ queryKey: ["todo", "a"] });
    expect((await store.keys()).length).toBe(1);
  });

  it("restores all queries at once", async () => {
    const store = (await open()).prefix("tr:");
    await page(store).load("a");
    await expect.poll(async () => (await store.keys()).length).toBe(1);
    const two = page(store);
    await two.persister.restoreQueries(two.queries as never, { queryKey: ["todo"] });
    expect(two.queries.getQueryData(["todo", "a"])).toEqual({ name: "a" });
  });

  it("fetches again after the expiry of the store", async () => {
    const store = (await open()).prefix("tx:");
    await page(store.expires("300ms")).load("a");
    await expect.poll(() => store.keys()).toHaveLength(1);
    await expect.poll(() => store.keys()).toEqual([]);
    const two = page(store);
    await two.load("a");
    expect(two.fetched).toHaveBeenCalledOnce();
  });
});

describe("TanStack Query", () => {
  it("keeps Dates in objects with the rich codec", async () => {
    const store = kv(new Map(), { codec: rich }) as Store;
    const make = () =>
      experimental_createQueryPersister({
        storage: tanstackQueryStorage<object>(store),
        serialize: (query) => query,
        deserialize: (query) => query as never,
      });
    const when = new Date(0);
    const load = (queryFn: () => Date) =>
      new QueryClient().fetchQuery({
        queryKey: ["when"],
        persister: make().persisterFn as never,
        queryFn,
      });
    await load(() => when);
    await expect.poll(() => store.keys()).toHaveLength(1);
    expect(await load(() => new Date(1))).toEqual(when);
  });

  it("fetches while the store is down, and hands the errors of writes to onError", async () => {
    const onError = vi.fn<(error: unknown) => void>();
    const { load, fetched } = page(kv(failingClient() as never), { onError });
    expect(await load("a")).toEqual({ name: "a" });
    expect(fetched).toHaveBeenCalledOnce();
    await expect.poll(() => onError.mock.calls.length).toBeGreaterThan(0);
    expect(onError.mock.calls[0]).toEqual([withCode("KV_CONNECTION")]);
  });

  it("rejects wrong options at once", () => {
    expect(() => tanstackQueryStorage(kv(), { key: "a" } as never)).toThrow(
      withCode("KV_INVALID_VALUE"),
    );
    expect(() => tanstackQueryStorage(new Map() as never)).toThrow(withCode("KV_INVALID_CLIENT"));
  });
});
