import type { StoreWatcher } from "./watcher.ts";

/** How many prefixes a subscription is asked to cover; beyond that it covers everything. */
const MOST_PREFIXES = 100;

/** Whether a key is longer than a prefix and starts with it. */
export const isUnder = (key: string, prefix: string): boolean =>
  key.length > prefix.length && key.startsWith(prefix);

/** Which watchers ask for which keys. */
export class Interest {
  /** All watchers that were added and not deleted. */
  readonly watchers: Set<StoreWatcher> = new Set();
  readonly #byKey = new Map<string, Set<StoreWatcher>>();
  readonly #byPrefix = new Map<string, Set<StoreWatcher>>();

  add(watcher: StoreWatcher): void {
    this.watchers.add(watcher);
    const { keys, prefix } = watcher.target;
    for (const key of keys) addTo(this.#byKey, key, watcher);
    if (prefix !== null) addTo(this.#byPrefix, prefix, watcher);
  }

  /** Forgets a watcher. Returns whether it was there. */
  delete(watcher: StoreWatcher): boolean {
    if (!this.watchers.delete(watcher)) return false;
    const { keys, prefix } = watcher.target;
    for (const key of keys) deleteFrom(this.#byKey, key, watcher);
    if (prefix !== null) deleteFrom(this.#byPrefix, prefix, watcher);
    return true;
  }

  /** Whether a consumer waits for a change. */
  isAwaited(): boolean {
    for (const { isWaiting } of this.watchers) if (isWaiting) return true;
    return false;
  }

  /** The longest timeout of a watcher, in milliseconds. */
  timeout(): number {
    let longest = 0;
    for (const { options } of this.watchers) longest = Math.max(longest, options.timeout);
    return longest;
  }

  /** The shortest interval of a watcher, in milliseconds. */
  interval(): number {
    let shortest = Infinity;
    for (const { options } of this.watchers) shortest = Math.min(shortest, options.interval);
    return shortest;
  }

  /** The keys that are watched by their names. */
  names(): Iterable<string> {
    return this.#byKey.keys();
  }

  isNamed(key: string): boolean {
    return this.#byKey.has(key);
  }

  hasPrefix(prefix: string): boolean {
    return this.#byPrefix.has(prefix);
  }

  /** The watched prefixes that no other one contains. */
  prefixes(): string[] {
    return outermost([...this.#byPrefix.keys()]);
  }

  isWatched(key: string): boolean {
    if (this.#byKey.has(key)) return true;
    for (const prefix of this.#byPrefix.keys()) if (isUnder(key, prefix)) return true;
    return false;
  }

  *watchersOf(key: string): Generator<StoreWatcher, void, undefined> {
    yield* this.#byKey.get(key) ?? [];
    for (const [prefix, watchers] of this.#byPrefix) if (isUnder(key, prefix)) yield* watchers;
  }

  /** The prefixes that a subscription has to cover. */
  coverage(): readonly string[] {
    const all = outermost([...this.#byPrefix.keys(), ...this.#byKey.keys()]);
    return all.length > MOST_PREFIXES ? [""] : all;
  }
}

/** The prefixes that no other one contains. */
function outermost(prefixes: readonly string[]): string[] {
  const found: string[] = [];
  for (const prefix of [...new Set(prefixes)].sort()) {
    const last = found.at(-1);
    if (last === undefined || !prefix.startsWith(last)) found.push(prefix);
  }
  return found;
}

function addTo(map: Map<string, Set<StoreWatcher>>, name: string, watcher: StoreWatcher): void {
  const watchers = map.get(name) ?? new Set();
  map.set(name, watchers.add(watcher));
}

function deleteFrom(
  map: Map<string, Set<StoreWatcher>>,
  name: string,
  watcher: StoreWatcher,
): void {
  const watchers = map.get(name);
  watchers?.delete(watcher);
  if (watchers?.size === 0) map.delete(name);
}
