import { type Adapter, type Page, PAGE_LENGTH, type PageQuery } from "../clients/adapter.ts";
import { isFresh } from "../record/freshness.ts";
import { StoredRecord } from "../record/record.ts";
import type { KvRecord, Write } from "../record/types.ts";
import type { Json, MaybePromise } from "../types.ts";

/** The parts of a record that a transform may change. */
export interface RecordContent {
  readonly value: Json;
  readonly metadata: Json;
}

/** A content that was read, and about how many characters the client did not count. */
export interface Decoded extends RecordContent {
  readonly added: number;
}

/** What a client keeps in place of values and metadata. Deadlines and versions stay as they are. */
export interface Transform {
  /** Reads the content before it returns: the caller may change bytes later. */
  encode(content: RecordContent, key: string): MaybePromise<RecordContent>;
  /** @throws {KvError} KV_CORRUPT for what this transform did not make. */
  decode(content: RecordContent, key: string): MaybePromise<Decoded>;
  /**
   * Whether the client may add to numbers: they are kept as numbers. What it cannot add to is left
   * to compare-and-set.
   */
  readonly keepsNumbers: boolean;
}

/** Goes on at once where the value is there: clients that answer at once still do. */
export const andThen = <T, R>(
  value: MaybePromise<T>,
  use: (value: T) => MaybePromise<R>,
): MaybePromise<R> => (value instanceof Promise ? value.then(use) : use(value));

const emptied = ({ expires, version }: KvRecord): KvRecord =>
  new StoredRecord(null, expires, version, null);

/** How many records of a page are decoded at once. */
const AT_ONCE = 32;

class Transformation {
  readonly #transform: Transform;
  readonly #undated: WeakSet<KvRecord> | undefined;

  constructor(transform: Transform, undated: WeakSet<KvRecord> | undefined) {
    this.#transform = transform;
    this.#undated = undated;
  }

  encode(key: string, record: KvRecord): MaybePromise<KvRecord> {
    return andThen(this.#transform.encode(record, key), ({ value, metadata }) => {
      const made = new StoredRecord(value, record.expires, record.version, metadata);
      if (this.#undated?.has(record)) this.#undated.add(made);
      return made;
    });
  }

  readonly write = async ({ key, record }: Write): Promise<Write> => ({
    key,
    record: record && (await this.encode(key, record)),
  });

  decode(key: string, record: KvRecord): MaybePromise<{ record: KvRecord; added: number }> {
    // It counts as absent, also where it cannot be decoded.
    if (!isFresh(record, Date.now())) return { record: emptied(record), added: 0 };
    return andThen(this.#transform.decode(record, key), ({ value, metadata, added }) => ({
      record: new StoredRecord(value, record.expires, record.version, metadata),
      added,
    }));
  }

  read(key: string, record: KvRecord | null): MaybePromise<KvRecord | null> {
    return record && andThen(this.decode(key, record), (decoded) => decoded.record);
  }

  readonly pair = async ([key, record]: readonly [string, KvRecord]): Promise<
    readonly [string, KvRecord]
  > => [key, (await this.decode(key, record)).record];

  /** Ends the page early where the values are much larger than what the client keeps. */
  async page({ entries, next }: Page): Promise<Page> {
    const decoded: [string, KvRecord][] = [];
    let added = 0;
    for (let i = 0; i < entries.length; i += AT_ONCE) {
      if (added > PAGE_LENGTH) return { entries: decoded, next: decoded.at(-1)![0] };
      const slice = entries.slice(i, i + AT_ONCE);
      const read = await Promise.all(slice.map(([key, record]) => this.decode(key, record)));
      for (const [place, item] of read.entries()) {
        added += item.added;
        decoded.push([slice[place]![0], item.record]);
      }
    }
    return { entries: decoded, next };
  }
}

/**
 * An adapter that transforms what another one keeps. Keys, deadlines and versions pass through, so
 * that native expiry, sweeps, checks and watches work as before. `inner` answers with the other
 * adapter before each call, or throws.
 *
 * It has no native collections: these are records then, like all others. It chooses no keys, and
 * lists no values without their keys.
 */
export function transformedAdapter(
  inner: () => Adapter,
  transform: Transform,
  undated: WeakSet<KvRecord> | undefined,
): Adapter {
  const by = new Transformation(transform, undated);
  const opened = inner();
  const decodedPage = (page: Page, { values }: PageQuery): MaybePromise<Page> =>
    values ? by.page(page) : page;
  const decoded = async function* (prefix: string): AsyncGenerator<Pair | null> {
    for await (const pair of inner().iterate!(prefix, true)) yield pair && (await by.pair(pair));
  };

  // `inOrder` is left out: a write begins later than its call, so the store has to keep the order.
  return {
    deadlines: opened.deadlines,
    get: (key) => andThen(inner().get(key), (record) => by.read(key, record)),
    set: (key, given) => andThen(by.encode(key, given), (record) => inner().set(key, record)),
    del: (key) => inner().del(key),
    has: opened.has && ((key, now) => inner().has!(key, now)),
    getMany:
      opened.getMany &&
      (async (keys) => {
        const records = await inner().getMany!(keys);
        return Promise.all(records.map((record, i) => by.read(keys[i]!, record)));
      }),
    setMany:
      opened.setMany &&
      (async (writes) => inner().setMany!(await Promise.all(writes.map(by.write)))),
    commit:
      opened.commit &&
      (async (checks, writes, now) =>
        inner().commit!(checks, await Promise.all(writes.map(by.write)), now)),
    count:
      opened.count && transform.keepsNumbers
        ? (key, record, rules) => inner().count!(key, record, rules)
        : undefined,
    touch: opened.touch && ((key, expires) => inner().touch!(key, expires)),
    page: opened.page && (async (query) => decodedPage(await inner().page!(query), query)),
    seek:
      opened.seek &&
      (async (query) => {
        const page = await inner().seek!(query);
        return page && decodedPage(page, query);
      }),
    walk:
      opened.walk &&
      (async (query) => {
        const { entries, next } = await inner().walk!(query);
        return { entries: await Promise.all(entries.map(by.pair)), next };
      }),
    freshKeys: opened.freshKeys && ((prefix, now) => inner().freshKeys!(prefix, now)),
    iterate:
      opened.iterate &&
      ((prefix, values) => (values ? decoded(prefix) : inner().iterate!(prefix, false))),
    entries:
      opened.entries &&
      (async (prefix) => Promise.all((await inner().entries!(prefix)).map(by.pair))),
    keys: opened.keys && ((prefix) => inner().keys!(prefix)),
    clear: opened.clear && ((prefix) => inner().clear!(prefix)),
    prune: opened.prune && ((query) => inner().prune!(query)),
    watch: opened.watch && ((feed, prefixes) => inner().watch!(feed, prefixes)),
    replace: () => opened.replace?.(),
  };
}

type Pair = readonly [string, KvRecord];
