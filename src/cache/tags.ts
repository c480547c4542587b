import type { Entry, Store } from "../api.ts";
import { untilDone } from "../concurrency/retry.ts";
import {
  EPOCH,
  type Freshness,
  TAG_PREFIX,
  TAG_SPARE,
  type TagCounter,
  type TagVersions,
} from "./entry.ts";

/** The most counters that are remembered. */
const MOST_KNOWN = 10_000;

// At a random number: a counter that was lost is never taken for the one that replaces it.
const newCounter = (): TagCounter => [Math.floor(Math.random() * 2 ** 48), 0];

/** The state of the tags of an entry. `counters` are in the order of its tags. */
function judge(
  versions: TagVersions,
  counters: readonly (TagCounter | null | undefined)[],
): Freshness | undefined {
  let found: Freshness = "fresh";
  for (const [i, [, hard, soft]] of versions.entries()) {
    const counter = counters[i];
    if (counter === undefined) return undefined;
    if (counter?.[0] !== hard) found = "absent";
    else if (counter[1] !== soft && found === "fresh") found = "stale";
  }
  return found;
}

/** The groups of the values of a cache. */
export class Tags {
  readonly #root: Store;
  readonly #store: Store;
  readonly #ttl: number;
  readonly #known = new Map<
    string,
    { readonly counter: TagCounter | null; readonly since: number }
  >();

  /** @param ttl how many milliseconds a counter that was read is remembered. */
  constructor(root: Store, ttl: number) {
    this.#root = root;
    this.#store = root.prefix(TAG_PREFIX);
    this.#ttl = ttl;
  }

  #counterOf(tag: string, now: number): TagCounter | null | undefined {
    const known = this.#known.get(tag);
    const age = known === undefined ? NaN : now - known.since;
    return age >= 0 && age < this.#ttl ? known!.counter : undefined;
  }

  /** {@link look} without reading; `undefined` where something has to be read. */
  known(versions: TagVersions, now: number): Freshness | undefined {
    return judge(
      versions,
      versions.map(([tag]) => this.#counterOf(tag, now)),
    );
  }

  /** The states of the tags of several entries: one read for all of them. */
  async look(entries: readonly TagVersions[]): Promise<Freshness[]> {
    const now = Date.now();
    const counters = new Map<string, TagCounter | null | undefined>();
    for (const [tag] of entries.flat()) counters.set(tag, this.#counterOf(tag, now));
    const unknown = [...counters.keys()].filter((tag) => counters.get(tag) === undefined);
    if (unknown.length > 0) {
      const found = await this.#store.getMany<TagCounter>(unknown);
      for (const [i, tag] of unknown.entries()) {
        counters.set(tag, found[i] ?? null);
        this.#note(tag, found[i] ?? null, now);
      }
    }
    return entries.map((tags) =>
      judge(
        tags,
        tags.map(([tag]) => counters.get(tag)),
      )!,
    );
  }

  #note(tag: string, counter: TagCounter | null, since: number): void {
    if (this.#ttl === 0) return;
    if (this.#known.size >= MOST_KNOWN) this.#known.clear();
    this.#known.set(tag, { counter, since });
  }

  /**
   * The versions to store with a value. Counters that do not exist are begun, and those that would
   * expire before the value are kept for longer.
   *
   * @param until when the value expires; `null` for never.
   */
  async versions(tags: readonly string[], until: number | null): Promise<TagVersions> {
    const counters = await Promise.all(tags.map((tag) => this.#ensure(tag, until)));
    return tags.map((tag, i) => [tag, ...counters[i]!]);
  }

  async #ensure(tag: string, until: number | null): Promise<TagCounter> {
    const now = Date.now();
    // Twice the time, so that not every value moves it. Half of that has to be left: the value
    // expires later than this by the time that its loader takes.
    const spare = until === null ? 0 : Math.max(until - now, 2 * TAG_SPARE);
    const expires = until === null ? null : new Date(until + spare);
    return untilDone(async () => {
      const entry = await this.#store.entry<TagCounter>(tag);
      if (entry === null) {
        const value = newCounter();
        const write = { key: tag, value, expires };
        const { ok } = await this.#store.commit([{ key: tag, version: null }], [write]);
        return ok ? value : null;
      }
      const isShort =
        entry.expires !== null && (until === null || entry.expires < until + spare / 2);
      return isShort && !(await this.#store.touch(tag, expires)) ? null : entry.value;
    });
  }

  /** Makes the values with any of these tags stale, or absent. */
  async invalidate(tags: readonly string[], way: "delete" | "expire"): Promise<void> {
    for (const tag of tags) this.#known.delete(tag);
    try {
      // Before the tags: a load that finds the old epoch behind the new versions of its tags has
      // begun later.
      await this.#move(this.#root, EPOCH, "delete");
      await Promise.all(tags.map((tag) => this.#move(this.#store, tag, way)));
    } finally {
      // Concurrent reads may be older.
      for (const tag of tags) this.#known.delete(tag);
    }
  }

  async #move(store: Store, key: string, way: "delete" | "expire"): Promise<void> {
    await untilDone(async () => {
      const entry: Entry<TagCounter> | null = await store.entry<TagCounter>(key);
      // No value has a tag without a counter.
      if (entry === null && store === this.#store) return true;
      const [hard, soft] = entry?.value ?? newCounter();
      const value: TagCounter = way === "delete" ? [hard + 1, soft] : [hard, soft + 1];
      const expires = entry === null || entry.expires === null ? null : new Date(entry.expires);
      const write = { key, value, expires };
      const check = { key, version: entry === null ? null : entry.version };
      return (await store.commit([check], [write])).ok || null;
    });
  }

  /** Forgets all that was read. */
  forget(): void {
    this.#known.clear();
  }
}
