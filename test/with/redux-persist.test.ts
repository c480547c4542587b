import { createStore as createRedux, type Reducer } from "redux";
import { type Persistor, persistReducer, persistStore } from "redux-persist";
import { describe, expect, it, vi } from "vitest";
import kv, { type Store } from "../../src/index.ts";
import { reduxPersistStorage } from "../../src/with/redux-persist/index.ts";
import { INTEGRATION_STORES, withCode } from "../support/integration-stores.ts";
import { failingClient } from "../support/plain-client.ts";

interface State {
  readonly count: number;
}

const counter: Reducer<State> = (state = { count: 0 }, action) =>
  action.type === "add" ? { count: state.count + 1 } : state;

/** A program with a persisted counter, after it has read what is stored. */
async function program(store: Store, writeFailHandler?: (error: Error) => void) {
  const storage = reduxPersistStorage(store, { prefix: "redux:" });
  const reducer = persistReducer(
    { key: "root", storage, ...(writeFailHandler && { writeFailHandler }) },
    counter,
  );
  const redux = createRedux(reducer as never) as ReturnType<typeof createRedux<State, never>>;
  const persistor: Persistor = persistStore(redux as never);
  await expect.poll(() => persistor.getState().bootstrapped).toBe(true);
  return {
    count: () => (redux.getState() as State).count,
    add: () => redux.dispatch({ type: "add" } as never),
    persistor,
  };
}

describe.each(INTEGRATION_STORES)("redux-persist on %s", (_, open) => {
  it("gives the state to the next program, and purges it", async () => {
    const store = await open();
    const one = await program(store);
    one.add();
    one.add();
    await one.persistor.flush();
    const two = await program(store);
    expect(two.count()).toBe(2);
    expect(await store.prefix("redux:").keys()).toEqual(["persist:root"]);
    two.persistor.pause();
    await two.persistor.purge();
    expect(await store.prefix("redux:").keys()).toEqual([]);
  });

  it("starts anew after the expiry of the store", async () => {
    const store = (await open()).prefix("rx:");
    const one = await program(store.expires("50ms"));
    one.add();
    await one.persistor.flush();
    await expect.poll(() => store.keys()).toEqual([]);
    expect((await program(store)).count()).toBe(0);
  });
});

describe("redux-persist", () => {
  it("hands the errors of a store that is down to writeFailHandler", async () => {
    // redux-persist prints the error too.
    vi.spyOn(console, "error").mockReturnValue();
    const failed = vi.fn<(error: Error) => void>();
    const { add, count, persistor } = await program(kv(failingClient() as never), failed);
    add();
    await persistor.flush();
    await expect.poll(() => failed.mock.calls.length).toBeGreaterThan(0);
    expect(failed.mock.calls[0]).toEqual([withCode("KV_CONNECTION")]);
    expect(count()).toBe(1);
  });

  it("rejects wrong options at once", () => {
    expect(() => reduxPersistStorage(kv(), { key: "a" } as never)).toThrow(
      withCode("KV_INVALID_VALUE"),
    );
    expect(() => reduxPersistStorage(new Map() as never)).toThrow(withCode("KV_INVALID_CLIENT"));
  });
});
