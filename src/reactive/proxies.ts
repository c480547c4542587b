// Everything that is used of @vue/reactivity: see docs/decisions/0001-reactive-proxies.md.
// A missing named import would be a syntax error of the engine, which does not name the version.
import * as reactivity from "@vue/reactivity";
import { requireVersion } from "../platform/require-version.ts";

// It exports no version. `pause` is new in 3.5.
const is35 = typeof reactivity.ReactiveEffect?.prototype.pause === "function";
requireVersion("anykv/reactive", "@vue/reactivity", "3.5", is35 ? "3.5" : undefined);

export type ReactiveEffect = reactivity.ReactiveEffect;
export const ReactiveEffect: typeof reactivity.ReactiveEffect = reactivity.ReactiveEffect;
export const computed: typeof reactivity.computed = reactivity.computed;
export const effectScope: typeof reactivity.effectScope = reactivity.effectScope;
export const reactive: typeof reactivity.reactive = reactivity.reactive;
export const toRaw: typeof reactivity.toRaw = reactivity.toRaw;
