import type { StoreContext } from "./context.ts";
import { deadline } from "../expires.ts";
import { fullKey } from "../prefix.ts";
import { ready } from "./guarded.ts";
import { StoredRecord } from "../record/record.ts";
import type { MaybePromise } from "../types.ts";
import type { KvRecord, Write } from "../record/types.ts";
import type { Adapter, Coverage } from "../clients/adapter.ts";

type Pair = readonly [string, KvRecord];
type Items = Iterable<Pair | null> | AsyncIterable<Pair | null>;

/** Translates between the keys of a store and the full keys of its client. */
class Translation {
  readonly #base: StoreContext;
  readonly #undated: WeakSet<KvRecord>;

  constructor(base: StoreContext, undated: WeakSet<KvRecord>) {
    this.#base = base;
    this.#undated = undated;
  }

  readonly full = (key: string): string =>
    fullKey(this.#base.prefix, key, this.#base.connection.source.supports.keyBytes);

  readonly strip = (key: string): string => key.slice(this.#base.prefix.length);

  readonly stripPair = ([key, record]: Pair): Pair => [this.strip(key), record];

  /** The record with the default expiry of the store, `null` when it has expired already. */
  dated(record: KvRecord | null): KvRecord | null {
    const { expires } = this.#base;
    if (record === null || expires === null || !this.#undated.has(record)) return record;
    const now = Date.now();
    const at = deadline(expires, now);
    return at !== null && at <= now
      ? null
      : new StoredRecord(record.value, at, record.version, record.metadata);
  }

  readonly write = ({ key, record }: Write): Write => ({
    key: this.full(key),
    record: this.dated(record),
  });

  /** Calls the client. Rejects with KV_CLOSED once the store is closed. */
  call<T>(work: (opened: Adapter) => MaybePromise<T>): MaybePromise<T> {
    const opened = ready(this.#base.connection, this.#base.timeout);
    return opened instanceof Promise ? opened.then(work) : work(opened);
  }

  async *items(list: (opened: Adapter) => Items): AsyncGenerator<Pair | null> {
    for await (const item of list(await this.call((opened) => opened)))
      yield item && [this.strip(item[0]), item[1]];
  }
}

/** The methods that a client may lack. */
type Optional = Omit<Adapter, "get" | "set" | "del" | "inOrder" | "deadlines">;

/** The methods on keys. */
const byKey = (to: Translation): Optional => ({
  has: (key, now) => to.call((opened) => opened.has!(to.full(key), now)),
  getMany: (keys) => to.call((opened) => opened.getMany!(keys.map(to.full))),
  setMany: (writes) => to.call((opened) => opened.setMany!(writes.map(to.write))),
  async commit(checks, writes, now) {
    const checked = checks.map(({ key, version }) => ({ key: to.full(key), version }));
    const result = await to.call((opened) => opened.commit!(checked, writes.map(to.write), now));
    return result.ok ? result : { ok: false, failed: result.failed.map(to.strip) };
  },
  count: (key, record, rules) =>
    to.call((opened) => opened.count!(to.full(key), to.dated(record) ?? record, rules)),
  touch: (key, expires) => to.call((opened) => opened.touch!(to.full(key), expires)),
  structure: (name, place, ...args) =>
    to.call((opened) => opened.structure!(name, { ...place, key: to.full(place.key) }, ...args)),
});

/** The methods on all keys under a prefix, which goes on behind the store's `prefix`. */
const byPrefix = (to: Translation, prefix: string): Optional => ({
  add: (inner, record) =>
    to.call((opened) => opened.add!(prefix + inner, to.dated(record) ?? record)),
  async page({ prefix: inner, after, ...query }) {
    const range = { prefix: prefix + inner, after: after === null ? null : prefix + after };
    const { entries, next } = await to.call((opened) => opened.page!({ ...query, ...range }));
    return { entries: entries.map(to.stripPair), next: next === null ? null : to.strip(next) };
  },
  async seek({ prefix: inner, after, ...query }) {
    const range = { prefix: prefix + inner, after: after === null ? null : prefix + after };
    const page = await to.call((opened) => opened.seek!({ ...query, ...range }));
    if (page === null) return null;
    const { entries, next } = page;
    return { entries: entries.map(to.stripPair), next: next === null ? null : to.strip(next) };
  },
  async walk({ prefix: inner, ...query }) {
    const { entries, next } = await to.call((opened) =>
      opened.walk!({ ...query, prefix: prefix + inner }),
    );
    return { entries: entries.map(to.stripPair), next };
  },
  iterate: (inner, values) => to.items((opened) => opened.iterate!(prefix + inner, values)),
  names: (inner) => to.items((opened) => opened.names!(prefix + inner)),
  async freshKeys(inner, now) {
    const found = await to.call((opened) => opened.freshKeys!(prefix + inner, now));
    return { ...found, keys: found.keys.map(to.strip) };
  },
  keys: async (inner) => (await to.call((opened) => opened.keys!(prefix + inner))).map(to.strip),
  values: (inner) => to.call((opened) => opened.values!(prefix + inner)),
  entries: async (inner) =>
    (await to.call((opened) => opened.entries!(prefix + inner))).map(to.stripPair),
  clear: (inner) => to.call((opened) => opened.clear!(prefix + inner)),
  prune: (query) => to.call((opened) => opened.prune!({ ...query, prefix: prefix + query.prefix })),
  async watch(feed, prefixes) {
    const full = (inner: Coverage): Coverage => inner.map((each) => prefix + each);
    const own = (keys: readonly string[]): string[] => keys.filter((key) => key.startsWith(prefix));
    const { cover, close } = await to.call((opened) =>
      opened.watch!(
        {
          changed: (keys) => feed.changed(own(keys).map(to.strip)),
          unknown: () => feed.unknown(),
          lost: (error) => feed.lost(error),
        },
        full(prefixes),
      ),
    );
    return { ...(cover && { cover: (inner) => cover(full(inner)) }), close };
  },
});

/** The adapter of a store, with the prefix of the store before all keys. */
export function prefixedAdapter(
  base: StoreContext,
  adapter: Adapter,
  undated: WeakSet<KvRecord>,
): Adapter {
  const { connection, prefix, timeout } = base;
  const to = new Translation(base, undated);
  const optional: Optional = { ...byKey(to), ...byPrefix(to, prefix) };
  // The names of an object literal are those of its type.
  for (const name of Object.keys(optional) as (keyof Optional)[])
    if (adapter[name] === undefined) optional[name] = undefined;
  const now = Date.now();
  // A default expiry that deletes leaves nothing to add.
  if (base.expires !== null && deadline(base.expires, now)! <= now) optional.add = undefined;
  // Without `deadlines`: a round of sweeps of this store sees its own prefix only.
  return {
    inOrder: adapter.inOrder,
    get: (key) => to.call((opened) => opened.get(to.full(key))),
    set: (key, given) => {
      const { key: full, record } = to.write({ key, record: given });
      return to.call((opened) => (record === null ? opened.del(full) : opened.set(full, record)));
    },
    del: (key) => to.call((opened) => opened.del(to.full(key))),
    ...optional,
    close: () => connection.close(timeout),
    replace: () => connection.adapter?.replace?.(),
  };
}
