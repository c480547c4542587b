import { describe, expect, it, vi } from "vitest";
import { persist } from "zustand/middleware";
import { createStore } from "zustand/vanilla";
import { rich } from "../../src/codec.ts";
import kv, { type Store } from "../../src/index.ts";
import { type StateStorageOptions, zustandStorage } from "../../src/with/zustand/index.ts";
import { INTEGRATION_STORES, withCode } from "../support/integration-stores.ts";
import { failingClient } from "../support/plain-client.ts";

interface Bears {
  count: number;
  born?: Date;
  add(): void;
}

async function bears(store: Store, options?: StateStorageOptions) {
  const rehydrated = vi.fn<(state?: Bears, error?: unknown) => void>();
  const state = createStore<Bears>()(
    persist((set) => ({ count: 0, add: () => set(({ count }) => ({ count: count + 1 })) }), {
      name: "bears",
      storage: zustandStorage<Bears>(store, options),
      onRehydrateStorage: () => rehydrated,
    }),
  );
  await expect.poll(() => rehydrated.mock.calls.length).toBe(1);
  return { state, error: rehydrated.mock.calls[0]![1] };
}

describe.each(INTEGRATION_STORES)("zustand on %s", (_, open) => {
  it("gives the state to the next program, with its actions", async () => {
    const store = (await open()).prefix("z:");
    const one = await bears(store, { prefix: "state:" });
    one.state.getState().add();
    one.state.getState().add();
    expect(await store.get("state:bears")).toEqual({ state: { count: 2 }, version: 0 });
    const two = await bears(store, { prefix: "state:" });
    expect(two.state.getState().count).toBe(2);
    two.state.getState().add();
    expect(await store.get("state:bears")).toEqual({ state: { count: 3 }, version: 0 });
    two.state.persist.clearStorage();
    expect(await store.has("state:bears")).toBe(false);
  });

  it("starts anew after the expiry of the store", async () => {
    const store = (await open()).prefix("zx:");
    (await bears(store.expires("50ms"))).state.getState().add();
    await expect.poll(() => store.has("bears")).toBe(false);
    expect((await bears(store)).state.getState().count).toBe(0);
  });
});

describe("zustand", () => {
  it("keeps Dates with the rich codec", async () => {
    const store = kv(new Map(), { codec: rich });
    const born = new Date(0);
    (await bears(store as Store)).state.setState({ born });
    expect((await bears(store as Store)).state.getState().born).toEqual(born);
  });

  it("hands the errors of a store that is down to onRehydrateStorage and onError", async () => {
    const onError = vi.fn<(error: unknown) => void>();
    const { state, error } = await bears(kv(failingClient() as never), { onError });
    expect(error).toEqual(withCode("KV_CONNECTION"));
    state.getState().add();
    await expect.poll(() => onError.mock.calls).toEqual([[withCode("KV_CONNECTION")]]);
    expect(state.getState().count).toBe(1);
  });

  it("rejects wrong options at once", () => {
    expect(() => zustandStorage(kv(), { name: "a" } as never)).toThrow(
      withCode("KV_INVALID_VALUE"),
    );
    expect(() => zustandStorage(new Map() as never)).toThrow(withCode("KV_INVALID_CLIENT"));
  });
});
