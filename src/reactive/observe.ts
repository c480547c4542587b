import { computed, effectScope, ReactiveEffect, toRaw } from "./proxies.ts";
import { copyLevel, plain } from "./copy.ts";

/**
 * A plain copy of a value that is kept up to date: whatever has not changed since the last copy is
 * the same object.
 */
export interface Observer {
  /** The copy as of the last `run()`. */
  copy: unknown;
  /** Makes the copy anew where something has changed. */
  run(): void;
  /** Ends it, with the last copy. */
  stop(): void;
}

// How a copy that meets itself is told.
const CYCLE = Symbol();

/**
 * Calls `changed` within each change of the result of `read`, at any depth. Each object has a
 * computed copy of its own, so that a change costs the way up to the root, not the size of the
 * value. Objects that were added since the last `run()` are observed from the next one on.
 */
export function observeReads(read: () => unknown, changed: () => void): Observer {
  const copies = new WeakMap<object, { readonly value: unknown }>();
  /**
   * The objects that were read in this run, and their copies: an object that is read inside of
   * itself, or changes after it was read, is in a cycle.
   */
  const seen = new Map<object, unknown>();
  let isCyclic = false;

  function copyOf(value: unknown): unknown {
    if (typeof value !== "object" || value === null) return value;
    const raw = toRaw(value);
    const before = seen.get(raw);
    if (before === CYCLE) throw CYCLE;
    let known = copies.get(raw);
    if (known === undefined) copies.set(raw, (known = computed(() => copyLevel(raw, copyOf))));
    seen.set(raw, CYCLE);
    const copy = known.value;
    if (before !== undefined && before !== copy) throw CYCLE;
    seen.set(raw, copy);
    return copy;
  }

  function refresh(): void {
    const value = read();
    if (!isCyclic) {
      try {
        observer.copy = copyOf(value);
        return;
      } catch (error) {
        if (error !== CYCLE) throw error;
        isCyclic = true;
      } finally {
        seen.clear();
      }
    }
    observer.copy = plain(value);
  }

  // In a scope of its own: that of a component would end it with the component.
  const observer: Observer & ReactiveEffect = effectScope(true).run(() =>
    Object.assign(new ReactiveEffect(refresh), { copy: undefined }),
  )!;
  observer.scheduler = changed;
  observer.run();
  return observer;
}
