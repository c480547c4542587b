import type { Entry, Store } from "../api.ts";
import type { StoreContext } from "../store/context.ts";
import { KvError } from "../errors.ts";
import { guardOf } from "../store/guarded.ts";
import { batches, ordered, whole } from "../store/pages.ts";
import { AS_STORED } from "../store/coded.ts";
import { contextOf, createStore } from "../store/store.ts";
import { load } from "../platform/load.ts";
import type { OpenWatch } from "../store/watch/index.ts";
import { type Reading, stateStream } from "../store/watch/state-stream.ts";
import type { Found } from "../store/watch/watcher.ts";
import type { Ending } from "../concurrency/abort.ts";
import type { KvRecord } from "../record/types.ts";
import type { PageQuery } from "../clients/adapter.ts";
import { shortRests } from "./rests.ts";
import { MARKS } from "./commit-mark.ts";
import type { Sized } from "./storage-sum.ts";
import { utf8Length } from "../record/utf8.ts";
import { isFresh } from "../record/freshness.ts";
import { versionOf } from "../record/version.ts";

/** An answer goes on until it has about so many bytes. */
const ANSWER_BYTES = 1_000_000;
/** How many records the store is asked for at once: each may be as large as a value. */
const AT_ONCE = 100;

/** The prefix of the entries in the server's own records of a space. */
export const DATA = "d/";

/** The bytes of an entry; its key is the one under the root of the space. */
export interface SizedEntry extends Sized {
  readonly key: string;
}

/** A page of a listing: its entries, and the key to go on behind. */
export interface EntryPageAfter {
  readonly entries: readonly Entry<unknown>[];
  readonly next: string | null;
}

/** Entries under some keys, `null` for an absent one. */
type MaybeEntries = readonly (Entry<unknown> | null)[];

/** How event streams of a server go. */
export interface EventOptions {
  /** Seconds between two looks at a client that reports no changes. */
  readonly interval: number;
  /** Ends the streams. */
  readonly closed: Ending | undefined;
}

/** The version of an entry. @throws {KvError} KV_NOT_SUPPORTED where there are none. */
function versionIn(entry: Entry<unknown> | null): string | null {
  if (entry !== null && entry.version === null)
    throw new KvError(
      "KV_NOT_SUPPORTED",
      "this client keeps no versions, so that changes cannot be told: read it instead",
    );
  return entry && entry.version;
}

/** @throws {KvError} KV_INVALID_CLIENT for anything but a store of this library. */
export function contextOfStore(store: unknown): StoreContext {
  const context = contextOf(store);
  if (context === undefined)
    throw new KvError("KV_INVALID_CLIENT", "a server needs a store: pass what kv() returns");
  return context;
}

/**
 * The bytes that an entry takes: those of its key, and of the JSON of its value and its metadata.
 */
export function sizeOf({
  key,
  value,
  metadata,
}: Pick<Entry<unknown>, "key" | "value" | "metadata">): number {
  return (
    utf8Length(key) +
    utf8Length(JSON.stringify(value)) +
    (metadata === null ? 0 : utf8Length(JSON.stringify(metadata)))
  );
}

/**
 * The part of a store that is a space. Its name stands between braces, with everything encoded that
 * could end it: spaces never overlap, and a cluster of Redis keeps each of them in one place.
 */
export class Space {
  readonly name: string;
  /** The server's own records beside the data. */
  readonly root: Store<unknown>;
  /** The data that the holders of its tokens see. */
  readonly data: Store<unknown>;
  /** The prefix of their keys in the store underneath. */
  readonly prefix: string;
  readonly #context: StoreContext;

  constructor(store: unknown, name: string) {
    this.name = name;
    // Values are sent as they are stored: codecs and default expiry are up to the clients.
    const context = { ...contextOfStore(store), codec: AS_STORED, expires: null };
    this.root = createStore<unknown>(context, { prefix: `space/{${encodeURIComponent(name)}}/` });
    this.data = this.root.prefix(DATA);
    this.#context = contextOf(this.data)!;
    this.prefix = this.#context.prefix;
  }

  /** The entries under some keys: now, and whenever one of their versions has changed. */
  states(keys: readonly string[], options: EventOptions): ReadableStream<MaybeEntries> {
    const full = [...new Set(keys)].map((key) => this.prefix + key);
    const read = async (): Promise<Reading<MaybeEntries>> => {
      const value = await this.getAll(keys, true);
      return { value, state: JSON.stringify(value.map(versionIn)) };
    };
    return stateStream(this.#context, full, read, { ...options, raw: false });
  }

  /** The changes of every key that starts with one of some texts. */
  async changes(prefix: string, interval: number): Promise<OpenWatch<Found>> {
    const { watchRecords } = await load();
    const { timeout } = this.#context;
    const options = { initial: false, interval: interval * 1000, timeout };
    const full = this.prefix + prefix;
    // A watched prefix leaves out the key that equals it, and this one may be a key.
    return watchRecords(
      this.#context,
      { keys: prefix === "" ? [] : [full], prefix: full },
      options,
    );
  }

  #entry(key: string, record: KvRecord, values: boolean): Entry<unknown> {
    const { value, expires, metadata } = record;
    return {
      key: key.slice(this.prefix.length),
      value: values ? value : null,
      version: versionOf(record),
      expires,
      metadata: values ? metadata : null,
    };
  }

  /**
   * The entries under some keys, `null` for an absent one. Ends early, but not before the first,
   * when they are large.
   */
  async get(keys: readonly string[], values: boolean): Promise<(Entry<unknown> | null)[]> {
    const found: (Entry<unknown> | null)[] = [];
    let bytes = 0;
    for (let i = 0; i < keys.length && bytes < ANSWER_BYTES; i += AT_ONCE) {
      for (const entry of await this.#getSome(keys.slice(i, i + AT_ONCE), values)) {
        if (bytes >= ANSWER_BYTES) break;
        found.push(entry);
        bytes += entry === null ? 4 : sizeOf(entry);
      }
    }
    return found;
  }

  /** All entries under some keys, however large they are, in several steps. */
  async getAll(keys: readonly string[], values: boolean): Promise<(Entry<unknown> | null)[]> {
    const found: (Entry<unknown> | null)[] = [];
    const rest = shortRests();
    for (;;) {
      const some = keys.slice(found.length, found.length + AT_ONCE);
      found.push(...(await this.get(some, values)));
      if (found.length >= keys.length) return found;
      await rest();
    }
  }

  async #getSome(keys: readonly string[], values: boolean): Promise<(Entry<unknown> | null)[]> {
    const adapter = await guardOf(this.#context.connection, this.#context.timeout);
    if (keys.length === 1 || adapter.getMany === undefined) {
      const entries = await Promise.all(keys.map((key) => this.data.entry<unknown>(key)));
      return entries.map((entry) =>
        entry === null || values ? entry : { ...entry, value: null, metadata: null },
      );
    }
    const full = keys.map((key) => this.prefix + key);
    const records = await adapter.getMany(full);
    const now = Date.now();
    return records.map((record, i) =>
      isFresh(record, now) ? this.#entry(full[i]!, record, values) : null,
    );
  }

  /**
   * The bytes of the entries and the marks of commits under a prefix of the root, in small batches,
   * in key order where the client has one.
   */
  async *sizes(
    prefix: string,
  ): AsyncGenerator<{ entries: readonly SizedEntry[]; isOrdered: boolean }, void, undefined> {
    const adapter = await guardOf(this.#context.connection, this.#context.timeout);
    const root = this.prefix.slice(0, -DATA.length);
    for await (const batch of batches(adapter, whole(root + prefix), true, AT_ONCE)) {
      const now = Date.now();
      const entries: SizedEntry[] = [];
      for (const [full, record] of batch) {
        const key = full.slice(root.length);
        const isData = key.startsWith(DATA);
        if (!(isData || key.startsWith(MARKS)) || !isFresh(record, now)) continue;
        const { value, metadata, expires } = record;
        const bytes = sizeOf({ key: isData ? key.slice(DATA.length) : key, value, metadata });
        entries.push({ key, bytes, expires });
      }
      yield { entries, isOrdered: adapter.page !== undefined };
    }
  }

  /**
   * A page in key order. Ends early when its entries are large; it may be empty and still not be
   * the last.
   */
  async page({ prefix, after, limit, reverse, values }: PageQuery): Promise<EntryPageAfter> {
    const adapter = await guardOf(this.#context.connection, this.#context.timeout);
    const range = {
      prefix: this.prefix + prefix,
      after: after === null ? null : this.prefix + after,
      reverse,
    };
    const entries: Entry<unknown>[] = [];
    let bytes = 0;
    const isFull = (): boolean => entries.length >= limit || bytes >= ANSWER_BYTES;
    const take = (key: string, record: KvRecord): void => {
      const entry = this.#entry(key, record, values);
      entries.push(entry);
      bytes += sizeOf(entry);
    };
    if (adapter.page === undefined) {
      // One more than asked for tells whether there is another page.
      const pairs = await ordered(adapter, range, limit + 1, this.prefix, false);
      let seen = 0;
      if (values && pairs.some(([, { value }]) => value === null)) {
        // All keys were passed for this page: only the values that it shows are read.
        const found = await this.get(
          pairs.slice(0, limit).map(([key]) => key.slice(this.prefix.length)),
          true,
        );
        seen = found.length;
        entries.push(...found.filter((entry) => entry !== null));
      } else {
        for (; seen < pairs.length && !isFull(); seen++) take(...pairs[seen]!);
      }
      return {
        entries,
        next: seen < pairs.length ? pairs[seen - 1]![0].slice(this.prefix.length) : null,
      };
    }
    let next = range.after;
    do {
      const page = await adapter.page({
        ...range,
        after: next,
        limit: Math.min(limit - entries.length, values ? AT_ONCE : 500),
        values,
      });
      const now = Date.now();
      for (const pair of page.entries) if (isFresh(pair[1], now)) take(...pair);
      ({ next } = page);
    } while (next !== null && !isFull());
    return { entries, next: next === null ? null : next.slice(this.prefix.length) };
  }
}

/**
 * The store of one space of a server: the same data as the holders of its tokens see, without their
 * limits.
 *
 * Writes through it, beside a server with a limit on storage, count as soon as the server has
 * counted the space again, which it does in the background.
 *
 * @param name the `space` of a token.
 * @throws {KvError} KV_INVALID_CLIENT for anything but a store, KV_INVALID_VALUE for a name that is
 * none.
 * @example
 * import kv from "anykv";
 * import { spaceOf } from "anykv/http";
 *
 * const store = kv(new Map());
 * const users = spaceOf(store, "users");
 * await users.set("ann", { admin: true });
 * console.log(await users.keys()); // ["ann"]
 * console.log(await spaceOf(store, "others").keys()); // []
 */
export function spaceOf<V>(store: Store<V>, name: string): Store {
  if (typeof name !== "string" || name === "" || !name.isWellFormed())
    throw new KvError("KV_INVALID_VALUE", "the name of a space is a non-empty, well-formed string");
  return createStore({ ...contextOf(new Space(store, name).data)!, codec: undefined }, {});
}
