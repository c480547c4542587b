import { createStore } from "jotai/vanilla";
import { atomWithStorage, RESET } from "jotai/vanilla/utils";
import { describe, expect, it, vi } from "vitest";
import kv, { type Store } from "../../src/index.ts";
import { jotaiStorage, type StateStorageOptions } from "../../src/with/jotai/index.ts";
import { INTEGRATION_STORES, withCode } from "../support/integration-stores.ts";
import { failingClient } from "../support/plain-client.ts";

/** An atom in a page of its own. */
function page(store: Store, options?: StateStorageOptions) {
  const atom = atomWithStorage("theme", "light", jotaiStorage<string>(store, options));
  const atoms = createStore();
  const unmount = atoms.sub(atom, () => {});
  const set = (value: string | typeof RESET) => atoms.set(atom, value);
  return { get: async () => atoms.get(atom), set, unmount };
}

describe.each(INTEGRATION_STORES)("jotai on %s", (_, open) => {
  it("gives the value to the next page, and resets it", async () => {
    const store = (await open()).prefix("j:");
    const one = page(store, { prefix: "state:" });
    expect(await one.get()).toBe("light");
    await one.set("dark");
    expect(await store.get("state:theme")).toBe("dark");
    const two = page(store, { prefix: "state:" });
    await expect.poll(two.get).toBe("dark");
    await two.set(RESET);
    expect(await store.has("state:theme")).toBe(false);
    one.unmount();
    two.unmount();
  });

  it("follows the writes of another page", async () => {
    const store = (await open()).prefix("jf:");
    const [one, two] = [page(store), page(store)];
    await expect
      .poll(async () => (await one.set("dark"), two.get()), { interval: 100 })
      .toBe("dark");
    await one.set(RESET);
    await expect.poll(two.get).toBe("light");
    one.unmount();
    two.unmount();
  });

  it("falls back to the initial value after the expiry", async () => {
    const store = (await open()).prefix("jx:");
    await store.set("theme", "dark", { expires: "50ms" });
    await expect.poll(() => store.has("theme")).toBe(false);
    const one = page(store);
    expect(await one.get()).toBe("light");
    one.unmount();
  });
});

describe("jotai", () => {
  it("hands the errors of a store that is down to onError and to readers", async () => {
    const onError = vi.fn<(error: unknown) => void>();
    const one = page(kv(failingClient() as never), { onError });
    await expect(one.get()).rejects.toThrow(withCode("KV_CONNECTION"));
    void one.set("dark");
    await expect.poll(() => onError.mock.calls.length).toBeGreaterThan(0);
    expect(onError.mock.calls[0]).toEqual([withCode("KV_CONNECTION")]);
    expect(await one.get()).toBe("dark");
    one.unmount();
  });

  it("rejects wrong options at once", () => {
    expect(() => jotaiStorage(kv(), { key: "a" } as never)).toThrow(withCode("KV_INVALID_VALUE"));
    expect(() => jotaiStorage(new Map() as never)).toThrow(withCode("KV_INVALID_CLIENT"));
  });
});
