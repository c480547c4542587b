// A React page whose states are kept in IndexedDB by four libraries.
import { QueryClient } from "@tanstack/query-core";
import { experimental_createQueryPersister } from "@tanstack/query-persist-client-core";
import { useAtom } from "jotai/react";
import { atomWithStorage } from "jotai/vanilla/utils";
import { createElement, useEffect, useState, useSyncExternalStore } from "react";
import { createRoot } from "react-dom/client";
import { createStore } from "redux";
import { persistReducer, persistStore } from "redux-persist";
import { create } from "zustand";
import { persist } from "zustand/middleware";
import kv from "../../src/index.ts";
import { jotaiStorage } from "../../src/with/jotai/index.ts";
import { reduxPersistStorage } from "../../src/with/redux-persist/index.ts";
import { tanstackQueryStorage } from "../../src/with/tanstack-query/index.ts";
import { zustandStorage } from "../../src/with/zustand/index.ts";

interface Bears {
  readonly count: number;
  add(): void;
}

/** Shows the page, and makes its store and the number of its loads from the server global. */
export function install(): void {
  const store = kv(new URL("indexeddb://page/state"));
  const page = { kv, store, loads: 0 };

  const useBears = create<Bears>()(
    persist((set) => ({ count: 0, add: () => set(({ count }) => ({ count: count + 1 })) }), {
      name: "bears",
      storage: zustandStorage(store, { prefix: "zustand:" }) as never,
    }),
  );
  const theme = atomWithStorage(
    "theme",
    "light",
    jotaiStorage<string>(store, { prefix: "jotai:" }),
  );

  const cart = (state: unknown, { type }: { type: string }): unknown => {
    const { items } = (state ?? { items: 0 }) as { items: number };
    return type === "buy" ? { items: items + 1 } : (state ?? { items });
  };
  const storage = reduxPersistStorage(store, { prefix: "redux:" });
  const redux = createStore(persistReducer({ key: "cart", storage }, cart as never) as never);
  persistStore(redux as never);

  const persister = experimental_createQueryPersister({
    storage: tanstackQueryStorage(store, { prefix: "query:" }),
  });
  const queries = new QueryClient();
  const profile = (): Promise<string> =>
    queries.fetchQuery({
      queryKey: ["profile"],
      staleTime: 60_000,
      persister: persister.persisterFn as never,
      queryFn: () => (page.loads++, "ann"),
    });

  const Page = () => {
    const { count, add } = useBears();
    const [shade, setShade] = useAtom(theme);
    const { items } = useSyncExternalStore(redux.subscribe, redux.getState) as { items: number };
    const [name, setName] = useState("");
    useEffect(() => void profile().then(setName), []);
    const button = (id: string, text: string, onClick: () => unknown) =>
      createElement("button", { id, onClick: () => void onClick() }, text);
    return createElement(
      "main",
      null,
      button("zustand", `${count} bears`, add),
      button("jotai", shade, () => setShade("dark")),
      button("redux", `${items} items`, () => redux.dispatch({ type: "buy" })),
      createElement("p", { id: "query" }, name),
    );
  };
  const host = document.body.appendChild(document.createElement("div"));
  createRoot(host).render(createElement(Page));
  Object.assign(globalThis, page, { loads: () => page.loads });
}
