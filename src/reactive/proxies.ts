// All that is taken of the library of proxies; docs/reactive-decision.md says why it is this one.
export { computed, effectScope, ReactiveEffect, reactive, toRaw } from "@vue/reactivity";
