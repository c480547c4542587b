import { createElement } from "react";
import { flushSync } from "react-dom";
import { createRoot } from "react-dom/client";
import { afterEach, beforeEach, expect, it } from "vitest";
import { create } from "zustand";
import { persist } from "zustand/middleware";
import kv from "../../src/index.ts";
import { zustandStorage } from "../../src/with/zustand/index.ts";

interface Bears {
  count: number;
  add(): void;
}

const name = `state-${crypto.randomUUID()}`;
let host: HTMLElement;
beforeEach(() => void (host = document.body.appendChild(document.createElement("div"))));
afterEach(() => host.remove());

/** The page as it is after each load: a connection, a state and a button of its own. */
function load() {
  const store = kv(new URL(`indexeddb://${name}/state`));
  const storage = zustandStorage<Bears>(store);
  const useBears = create<Bears>()(
    persist((set) => ({ count: 0, add: () => set(({ count }) => ({ count: count + 1 })) }), {
      name: "bears",
      storage: storage as never,
    }),
  );
  const Page = () => {
    const { count, add } = useBears();
    return createElement("button", { onClick: add }, `${count} bears`);
  };
  const root = createRoot(host);
  flushSync(() => root.render(createElement(Page)));
  const leave = async (): Promise<void> => {
    flushSync(() => root.unmount());
    await store.close();
  };
  return { leave, stored: () => storage.getItem("bears") };
}

const text = (): string => host.innerText;
const press = (): void => flushSync(() => host.querySelector("button")!.click());

it("a React page that is opened again shows the state of zustand, from IndexedDB", async () => {
  const first = load();
  expect(text()).toBe("0 bears");
  await expect.poll(first.stored).toBe(null);
  press();
  press();
  expect(text()).toBe("2 bears");
  await expect.poll(async () => (await first.stored())?.state.count).toBe(2);
  await first.leave();
  const second = load();
  await expect.poll(text).toBe("2 bears");
  press();
  expect(text()).toBe("3 bears");
  await second.leave();
  indexedDB.deleteDatabase(name);
});
