import { act, createElement, StrictMode, startTransition, Suspense, use, useState } from "react";
import { createRoot, hydrateRoot } from "react-dom/client";
import { renderToString } from "react-dom/server";
import {
  createComponent,
  createRoot as createSolidRoot,
  createRenderEffect,
  createSignal,
} from "solid-js";
import { createStore } from "solid-js/store";
import { mount, unmount } from "svelte";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createApp, h, nextTick, ref } from "vue";
import { createKVStore, type KVFn } from "../../src/reactive/index.ts";
import { useKV as useReact } from "../../src/reactive/react.ts";
import { useKV as useSolid } from "../../src/reactive/solid.ts";
import { useKV as useSvelte } from "../../src/reactive/svelte.ts";
import { useKV as useVue } from "../../src/reactive/vue.ts";
import Counter from "./Counter.svelte";

Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });

interface Data {
  n: number;
  deep: { items: string[] };
}
const init = (): Data => ({ n: 0, deep: { items: [] } });

let count = 0;
let name: string;
let store: KVFn;
let host: HTMLElement;
beforeEach(() => {
  name = `bindings-${count++}`;
  store = createKVStore(name, { delay: 0 });
  host = document.body.appendChild(document.createElement("div"));
});
afterEach(async () => {
  host.remove();
  await store.store().close();
});

/** What the database holds, by a connection of its own. */
function stored(key: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(`${name}.kv`);
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const reading = opening.result.transaction(name).objectStore(name).get(key);
      reading.onsuccess = () => {
        opening.result.close();
        resolve(reading.result);
      };
    };
  });
}

const text = (): string => host.textContent;
const click = (): void => host.querySelector("button")!.click();

/**
 * A component that shows n, the items and the status, and whose button raises n and adds an item.
 */
interface Binding {
  mount(key: string): void | Promise<void>;
  unmount(): void | Promise<void>;
  /** Shows another key in the same component. */
  switch?(key: string): void | Promise<void>;
}

const line = (n: number, items: readonly string[], status: string): string =>
  `${n} ${items.join()} ${status}`;

function react(host: HTMLElement): Binding {
  const root = createRoot(host);
  function View({ name: key }: { name: string }) {
    const [{ data, status }, state] = useReact(key, init(), store);
    function onClick(): void {
      state.data.n++;
      state.data.deep.items.push("x");
    }
    return createElement(
      "button",
      { onClick },
      status === "removed" ? "removed" : line(data.n, data.deep.items, status),
    );
  }
  const render = (key: string): Promise<void> =>
    act(async () =>
      root.render(createElement(StrictMode, null, createElement(View, { name: key }))),
    );
  return { mount: render, switch: render, unmount: () => act(async () => root.unmount()) };
}

function vue(host: HTMLElement): Binding {
  let app: ReturnType<typeof createApp>;
  return {
    mount(key) {
      app = createApp({
        setup() {
          const data = useVue(key, init(), store);
          function onClick(): void {
            data.value.n++;
            data.value.deep.items.push("x");
          }
          return () =>
            h(
              "button",
              { onClick },
              data.state.status === "removed"
                ? "removed"
                : line(data.value.n, data.value.deep.items, data.state.status),
            );
        },
      });
      app.mount(host);
    },
    unmount: () => app.unmount(),
  };
}

function svelte(host: HTMLElement): Binding {
  let component: object;
  return {
    mount(key) {
      component = mount(Counter, {
        target: host,
        props: { counter: useSvelte(key, init(), store) },
      });
    },
    unmount: () => unmount(component),
  };
}

function solid(host: HTMLElement): Binding {
  let dispose: () => void;
  return {
    mount(key) {
      const button = host.appendChild(document.createElement("button"));
      createSolidRoot((end) => {
        dispose = end;
        createComponent(() => {
          const [view, state] = useSolid(key, init(), store);
          button.onclick = () => {
            state.data.n++;
            state.data.deep.items.push("x");
          };
          createRenderEffect(
            () =>
              (button.textContent =
                view.status === "removed"
                  ? "removed"
                  : line(view.data.n, view.data.deep.items, view.status)),
          );
          return null;
        }, {});
      });
    },
    unmount() {
      dispose();
      host.replaceChildren();
    },
  };
}

describe.each(Object.entries({ react, vue, svelte, solid }))("useKV of %s", (_, make) => {
  const inAct = <T>(work: () => Promise<T>): Promise<T> => (make === react ? act(work) : work());

  it("shows stored values and all changes, and gives its state back", async () => {
    const binding = make(host);
    await binding.mount("a");
    await inAct(() => store.ready());
    await expect.poll(text).toBe("0  ready");
    await inAct(async () => click());
    await expect.poll(text).toBe("1 x ready");
    await inAct(async () => click());
    await expect.poll(text).toBe("2 x,x ready");
    await store.flush();
    expect(await stored("a")).toEqual({ n: 2, deep: { items: ["x", "x"] } });

    // Somebody else with the same state.
    const state = store("a", init());
    await inAct(async () => void (state.data.n = 50));
    await expect.poll(text).toBe("50 x,x ready");
    await inAct(async () => void (state.data = { n: 7, deep: { items: ["new"] } }));
    await expect.poll(text).toBe("7 new ready");
    await inAct(() =>
      store
        .store()
        .set("a", { n: 8, deep: { items: [] } })
        .promise(),
    );
    await expect.poll(text).toBe("8  ready");

    await binding.unmount();
    expect(text()).toBe("");
    // We are the last: after our leave the next call makes another state.
    expect(store.peek("a", init())).toBe(state);
    store.leave(state);
    const again = store("a", init());
    expect(again).not.toBe(state);
    expect(again.data.n).toBe(8);
    store.leave(again);
  });

  it("shows that a key was removed, and does not bring it back", async () => {
    const binding = make(host);
    await binding.mount("gone");
    await inAct(() => store.ready());
    expect(await stored("gone")).toEqual(init());
    await inAct(async () => {
      store.remove("gone");
      await store.ready();
    });
    await expect.poll(text).toBe("removed");
    await binding.unmount();
    await store.ready();
    expect(await stored("gone")).toBe(undefined);
  });

  it("shows one state in two components", async () => {
    const [one, two] = [host, document.body.appendChild(document.createElement("div"))];
    const [first, second] = [make(one), make(two)];
    await first.mount("b");
    await second.mount("b");
    await inAct(() => store.ready());
    await inAct(async () => two.querySelector("button")!.click());
    await expect.poll(() => [one.textContent, two.textContent]).toEqual(["1 x ready", "1 x ready"]);
    await second.unmount();
    await inAct(async () => click());
    await expect.poll(text).toBe("2 x,x ready");
    await first.unmount();
    two.remove();
  });
});

describe("useKV of react", () => {
  it("follows another key, and leaves the first", async () => {
    const binding = react(host);
    await binding.mount("one");
    await act(() => store.ready());
    const one = store("one", init());
    await binding.switch!("two");
    await act(async () => click());
    expect(text()).toBe("1 x ready");
    expect(one.data.n).toBe(0);
    store.leave(one);
    expect(store.peek("one", init())).not.toBe(one);
    await binding.unmount();
  });

  it("renders init on a server, and hydrates with the stored value", async () => {
    store.store().set("served", { n: 5, deep: { items: ["stored"] } });
    await store.ready();
    function View() {
      const [{ data, status }, state] = useReact("served", init(), store);
      return createElement("button", { onClick: () => state.data.n++ }, `${data.n} ${status}`);
    }
    host.innerHTML = renderToString(createElement(View));
    expect(text()).toBe("0 init");
    const errors: unknown[] = [];
    const root = await act(async () =>
      hydrateRoot(host, createElement(View), { onRecoverableError: (error) => errors.push(error) }),
    );
    expect(text()).toBe("5 ready");
    await act(async () => click());
    expect(text()).toBe("6 ready");
    expect(errors).toEqual([]);
    await act(async () => root.unmount());
  });

  it("never shows two values of one key in one rendering", async () => {
    const seen: string[] = [];
    let finish!: () => void;
    const gate = new Promise<void>((resolve) => (finish = resolve));
    let wait!: (on: boolean) => void;
    const Part = ({ place }: { place: string }) => {
      const [{ data }] = useReact("torn", init(), store);
      return createElement("i", null, `${place}${data.n}`);
    };
    function App() {
      const [isWaiting, setWaiting] = useState(false);
      wait = setWaiting;
      if (isWaiting) use(gate);
      return createElement(
        "p",
        { ref: (element: HTMLElement | null) => void (element && seen.push(element.textContent)) },
        createElement(Part, { place: "a" }),
        createElement(Part, { place: "b" }),
      );
    }
    const root = createRoot(host);
    await act(async () => root.render(createElement(Suspense, null, createElement(App))));
    await act(() => store.ready());
    const state = store("torn", init());
    await act(async () => startTransition(() => wait(true)));
    // Changed while a rendering is held up.
    await act(async () => void state.data.n++);
    await act(async () => finish());
    expect(text()).toBe("a1b1");
    for (const shown of seen) expect(shown).toMatch(/^a(\d)b\1$/);
    store.leave(state);
    await act(async () => root.unmount());
  });
});

it("useKV of vue ends with the scope, and can be replaced as a whole", async () => {
  const shown = ref("");
  const app = createApp({
    setup() {
      const data = useVue<number[]>("list", [], store);
      return () => {
        shown.value = data.value.join();
        return h("button", { onClick: () => (data.value = [...data.value, data.value.length]) });
      };
    },
  });
  app.mount(host);
  await store.ready();
  for (let i = 0; i < 3; i++) click();
  await nextTick();
  expect(shown.value).toBe("0,1,2");
  app.unmount();
  await store.flush();
  expect(await stored("list")).toEqual([0, 1, 2]);
});

it("useKV of svelte does not bring back a key that was removed while it is shown", async () => {
  const counter = useSvelte("gone", 0, store);
  const end = counter.subscribe(() => {});
  counter.set(1);
  await store.ready();
  store.remove("gone");
  await store.ready();
  counter.set(2);
  await store.ready();
  expect(await stored("gone")).toBe(undefined);
  end();
  counter.set(3);
  await store.ready();
  expect(await stored("gone")).toBe(3);
});

it("useKV of solid takes a store of Solid to begin with", async () => {
  const [begin] = createStore(init());
  await createSolidRoot(async (dispose) => {
    const [view, state] = useSolid("begun", begin, store);
    await store.ready();
    state.data.deep.items.push("x");
    await expect.poll(() => view.data.deep.items.length).toBe(1);
    await store.ready();
    expect([await stored("begun"), begin.deep.items.length]).toEqual([
      { n: 0, deep: { items: ["x"] } },
      0,
    ]);
    dispose();
  });
});

it("useKV of solid renders only changed members", async () => {
  const runs = { n: 0, items: 0 };
  const [isShown] = createSignal(true);
  await createSolidRoot(async (dispose) => {
    const [view, state] = useSolid("fine", init(), store);
    createRenderEffect(() => isShown() && view.data.n >= 0 && runs.n++);
    createRenderEffect(() => view.data.deep.items.length >= 0 && runs.items++);
    await store.ready();
    const before = { ...runs };
    state.data.n = 5;
    await expect.poll(() => view.data.n).toBe(5);
    expect(runs).toEqual({ n: before.n + 1, items: before.items });
    // What Solid changes is its own.
    expect(store.snapshot(state).data).not.toBe(view.data);
    dispose();
  });
});
