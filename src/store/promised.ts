import type { Source } from "../clients/define.ts";
import type { StoreContext } from "./context.ts";
import { deadline } from "../expires.ts";
import { fullKey } from "../prefix.ts";
import { ready } from "./guarded.ts";
import { type InOrder, Lanes, lanesOf, type Scope, useLanes } from "../concurrency/lanes.ts";
import { Order, type Written } from "../concurrency/order.ts";
import { StoredRecord } from "../record/record.ts";
import type { MaybePromise } from "../types.ts";
import type { KvRecord, Write } from "../record/types.ts";
import type { Adapter, Coverage, Feed, Subscription } from "../clients/adapter.ts";

type Pairs = readonly (readonly [string, KvRecord])[];
type Items =
  | Iterable<readonly [string, KvRecord] | null>
  | AsyncIterable<readonly [string, KvRecord] | null>;

/**
 * The store that a promise has settled to, as a client of the store over the promise. Records among
 * `undated` get its default expiry.
 */
export async function sourceOver(base: StoreContext, undated: WeakSet<KvRecord>): Promise<Source> {
  const { connection, prefix, timeout } = base;
  const { type, supports } = (await connection.source.settled) ?? connection.source;
  return {
    type,
    supports,
    get order() {
      return new PrefixedOrder(base.order ?? connection.order, prefix);
    },
    open: async () => adapterOver(base, await ready(connection, timeout), undated),
    close: async () => {
      await connection.close(timeout);
      return true;
    },
  };
}

/** The call order of another store's client, for keys that lack that store's prefix. */
class PrefixedOrder extends Order {
  readonly #order: Order;
  readonly #prefix: string;

  constructor(order: Order, prefix: string) {
    super();
    this.#order = order;
    this.#prefix = prefix;
    Object.defineProperty(this, "pending", { get: () => order.pending });
    useLanes(this, new PrefixedLanes(order, prefix));
  }

  override hold(until: Promise<unknown>): void {
    this.#order.hold(until);
  }

  override later<T>(work: () => MaybePromise<T>): Promise<T> {
    return this.#order.later(work);
  }

  override isHeld(): boolean {
    return this.#order.isHeld();
  }

  override listen(listener: (written: Written) => void): () => void {
    return this.#order.listen(({ write = [], writeUnder }) => {
      const inner = write.filter((key) => key.startsWith(this.#prefix));
      const under =
        writeUnder === undefined || !this.#prefix.startsWith(writeUnder)
          ? writeUnder
          : this.#prefix;
      listener({
        write: inner.map((key) => key.slice(this.#prefix.length)),
        ...(under?.startsWith(this.#prefix) && { writeUnder: under.slice(this.#prefix.length) }),
      });
    });
  }
}

class PrefixedLanes extends Lanes {
  readonly #lanes: Lanes;
  readonly #prefix: string;

  constructor(order: Order, prefix: string) {
    super(order);
    this.#lanes = lanesOf(order);
    this.#prefix = prefix;
  }

  #scope({ read = [], write = [], readUnder, writeUnder }: Scope): Scope {
    const full = (key: string): string => this.#prefix + key;
    return {
      read: read.map(full),
      write: write.map(full),
      ...(readUnder !== undefined && { readUnder: full(readUnder) }),
      ...(writeUnder !== undefined && { writeUnder: full(writeUnder) }),
    };
  }

  override run<T>(
    scope: Scope,
    work: () => MaybePromise<T>,
    ms?: number,
    inOrder?: InOrder,
    requests?: number,
  ): MaybePromise<T> {
    return this.#lanes.run(this.#scope(scope), work, ms, inOrder, requests);
  }

  override attempt<T>(
    scope: Scope,
    work: () => MaybePromise<T>,
    ms: number,
  ): MaybePromise<T> | null {
    return this.#lanes.attempt(this.#scope(scope), work, ms);
  }

  override track(
    key: string,
    isWrite: boolean,
    result: Promise<unknown>,
    ms: number,
    isInOrder?: boolean,
  ): void {
    this.#lanes.track(this.#prefix + key, isWrite, result, ms, isInOrder);
  }

  override settled(prefix: string): Promise<void> {
    return this.#lanes.settled(this.#prefix + prefix);
  }
}

/** The store's adapter, with the store's prefix before all keys. */
function adapterOver(base: StoreContext, adapter: Adapter, undated: WeakSet<KvRecord>): Adapter {
  const { connection, prefix, timeout } = base;
  const full = (key: string): string => fullKey(prefix, key, connection.source.supports.keyBytes);
  const strip = (key: string): string => key.slice(prefix.length);
  const stripAll = (pairs: Pairs): Pairs => pairs.map(([key, record]) => [strip(key), record]);
  const fullOf = ({ key, record }: Write): Write => ({ key: full(key), record: dated(record) });

  /** Rejects with KV_CLOSED once the store is closed. */
  const whileOpen = <T>(work: (opened: Adapter) => MaybePromise<T>): MaybePromise<T> => {
    const opened = ready(connection, timeout);
    return opened instanceof Promise ? opened.then(work) : work(opened);
  };

  function dated(record: KvRecord | null): KvRecord | null {
    if (record === null || base.expires === null || !undated.has(record)) return record;
    const now = Date.now();
    const at = deadline(base.expires, now);
    return at !== null && at <= now
      ? null
      : new StoredRecord(record.value, at, record.version, record.metadata);
  }

  async function* items(
    list: (opened: Adapter) => Items,
  ): AsyncGenerator<readonly [string, KvRecord] | null> {
    for await (const item of list(await ready(connection, timeout)))
      yield item && [strip(item[0]), item[1]];
  }

  // Without `deadlines`: a round of this store sees its own prefix only.
  const own: { [Name in Exclude<keyof Adapter, "deadlines">]-?: Adapter[Name] } = {
    inOrder: adapter.inOrder,
    get: (key) => whileOpen((opened) => opened.get(full(key))),
    set: (key, record) => {
      const write = fullOf({ key, record });
      return whileOpen((opened) =>
        write.record === null ? opened.del(write.key) : opened.set(write.key, write.record),
      );
    },
    del: (key) => whileOpen((opened) => opened.del(full(key))),
    has: (key, now) => whileOpen((opened) => opened.has!(full(key), now)),
    getMany: (keys) => whileOpen((opened) => opened.getMany!(keys.map(full))),
    setMany: (writes) => whileOpen((opened) => opened.setMany!(writes.map(fullOf))),
    async commit(checks, writes, now) {
      const checked = checks.map(({ key, version }) => ({ key: full(key), version }));
      const result = await whileOpen((opened) => opened.commit!(checked, writes.map(fullOf), now));
      return result.ok ? result : { ok: false, failed: result.failed.map(strip) };
    },
    touch: (key, expires) => whileOpen((opened) => opened.touch!(full(key), expires)),
    add: (inner, record) =>
      whileOpen((opened) => opened.add!(prefix + inner, dated(record) ?? record)),
    async page({ prefix: inner, after, ...query }) {
      const range = { prefix: prefix + inner, after: after === null ? null : prefix + after };
      const { entries, next } = await whileOpen((opened) => opened.page!({ ...query, ...range }));
      return { entries: [...stripAll(entries)], next: next === null ? null : strip(next) };
    },
    iterate: (inner, values) => items((opened) => opened.iterate!(prefix + inner, values)),
    names: (inner) => items((opened) => opened.names!(prefix + inner)),
    keys: async (inner) => (await whileOpen((opened) => opened.keys!(prefix + inner))).map(strip),
    values: (inner) => whileOpen((opened) => opened.values!(prefix + inner)),
    entries: async (inner) => [
      ...stripAll(await whileOpen((opened) => opened.entries!(prefix + inner))),
    ],
    clear: (inner) => whileOpen((opened) => opened.clear!(prefix + inner)),
    prune: (query) =>
      whileOpen((opened) => opened.prune!({ ...query, prefix: prefix + query.prefix })),
    structure: (name, place, ...args) =>
      whileOpen((opened) => opened.structure!(name, { ...place, key: full(place.key) }, ...args)),
    watch: (feed, prefixes) => whileOpen((opened) => watchUnder(opened, prefix, feed, prefixes)),
    close: () => connection.close(timeout),
    replace: () => connection.adapter?.replace?.(),
  };
  // A default that deletes leaves nothing to add.
  const now = Date.now();
  const deletes = base.expires !== null && deadline(base.expires, now)! <= now;
  const isOffered = (name: string): boolean =>
    name === "close" || (name in adapter && !(name === "add" && deletes));
  return Object.fromEntries(
    Object.entries(own).filter(([name]) => isOffered(name)),
  ) as unknown as Adapter;
}

/** Subscribes to the changes under a prefix, which the feed does not see. */
async function watchUnder(
  adapter: Adapter,
  prefix: string,
  feed: Feed,
  prefixes: Coverage,
): Promise<Subscription> {
  const full = (inner: Coverage): Coverage => inner.map((each) => prefix + each);
  const { cover, close } = await adapter.watch!(
    {
      changed: (keys) =>
        feed.changed(
          keys.filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length)),
        ),
      unknown: () => feed.unknown(),
      lost: (error) => feed.lost(error),
    },
    full(prefixes),
  );
  return { ...(cover && { cover: (inner) => cover(full(inner)) }), close };
}
