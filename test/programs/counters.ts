import { createElement } from "react";
import { createRoot } from "react-dom/client";
import { createRenderEffect, createRoot as createSolidRoot } from "solid-js";
import { mount } from "svelte";
import { createApp, h } from "vue";
import type { KVFn } from "../../src/reactive/index.ts";
import { useKV as useReact } from "../../src/reactive/react.ts";
import { useKV as useSolid } from "../../src/reactive/solid.ts";
import { useKV as useSvelte } from "../../src/reactive/svelte.ts";
import { useKV as useVue } from "../../src/reactive/vue.ts";
import Number from "./Number.svelte";

const init = (): { n: number } => ({ n: 0 });

function react(host: HTMLElement, store: KVFn): void {
  function Counter() {
    const [{ data }, state] = useReact("counter", init(), store);
    return createElement("button", { onClick: () => state.data.n++ }, data.n);
  }
  createRoot(host).render(createElement(Counter));
}

function vue(host: HTMLElement, store: KVFn): void {
  createApp({
    setup() {
      const data = useVue("counter", init(), store);
      return () => h("button", { onClick: () => data.value.n++ }, data.value.n);
    },
  }).mount(host);
}

function svelte(host: HTMLElement, store: KVFn): void {
  mount(Number, { target: host, props: { counter: useSvelte("counter", init(), store) } });
}

function solid(host: HTMLElement, store: KVFn): void {
  const button = host.appendChild(document.createElement("button"));
  createSolidRoot(() => {
    const [view, state] = useSolid("counter", init(), store);
    button.onclick = () => state.data.n++;
    createRenderEffect(() => (button.textContent = String(view.data.n)));
  });
}

/** Counters of each framework: the text of their button is the number, and a click raises it. */
export const COUNTERS: {
  readonly [framework in "react" | "vue" | "svelte" | "solid"]: (
    host: HTMLElement,
    store: KVFn,
  ) => void;
} = { react, vue, svelte, solid };
