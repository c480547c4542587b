import { decodeRecord } from "../../record/text-format.ts";
import type { KvRecord, Write } from "../../record/types.ts";
import { isFresh } from "../../record/freshness.ts";
import { compareKeys } from "../../record/utf8.ts";
import { versionOf } from "../../record/version.ts";
import { type Adapter, type Page, PAGE_LENGTH, type PageQuery } from "../adapter.ts";
import { commitToRedis, type Ordering } from "./commit.ts";
import { rejecting } from "./errors.ts";
import { headsOf, textsOf } from "./many.ts";
import { OrderBuilds } from "./order-build.ts";
import { checkReserved, type NameQuery, OrderIndexes } from "./order-index.ts";
import { isReserved } from "./reserved.ts";
import { StoredRecord } from "../../record/record.ts";
import type { OrderIndex } from "./order-index.ts";
import { ORDERED_WRITES, PUT } from "./order-scripts.ts";
import { encodeRecordText, listed } from "./record.ts";
import { itemsOf, nextCount, type RecordPages, scanAll } from "./scan.ts";
import { commitScript, runText } from "./scripts.ts";
import type { RedisWire } from "./wire.ts";

// Loaded by its first use. Another `import()` for each use costs more than the use.
let counting: typeof import("./count.ts") | undefined;

type Pair = readonly [key: string, record: KvRecord];

const ORDERED_COMMIT = commitScript(ORDERED_WRITES);

/** How many records one script writes at most, and about how many characters. */
const MOST = 500;
const LENGTH = 1_000_000;

/** How many keys are read at once at the start of a page. */
const FIRST = 128;

/** Writes that one script makes. */
interface Batch {
  readonly index: OrderIndex;
  readonly keys: string[];
  readonly args: string[];
  length: number;
  dated: number;
}

/** The parts of an adapter whose keys Redis keeps in order. */
export class OrderedKeys {
  readonly #wire: RedisWire;
  readonly #indexes: OrderIndexes;
  readonly #builds: OrderBuilds;
  /** For scripts that write other than by {@link write}. */
  readonly ordering: Ordering = {
    indexOf: (key) => this.#indexes.of(key).name,
    writes: ORDERED_WRITES,
    commit: ORDERED_COMMIT,
  };

  constructor(wire: RedisWire) {
    this.#wire = wire;
    this.#indexes = new OrderIndexes(wire);
    this.#builds = new OrderBuilds(wire);
  }

  /** Writes records and their names in the index in one step. */
  async write(writes: readonly Write[]): Promise<void> {
    for (const { key } of writes) checkReserved(key);
    const batches = this.#batches(writes);
    await Promise.all(
      batches.map(({ index, keys, args }) => runText(this.#wire, PUT, [...keys, index.name], args)),
    );
    for (const { index, dated } of batches) await this.#sweep(index, dated);
  }

  /** Counts records that get a deadline other than by {@link write}. */
  async noteDeadlines(...writes: readonly Write[]): Promise<void> {
    for (const { key, record } of writes)
      if (record !== null && record.expires !== null) await this.#sweep(this.#indexes.of(key), 1);
  }

  /** A page of a range; `null` while its index is not complete, or there is none for all of it. */
  async page(query: PageQuery): Promise<Page | null> {
    const names = await this.#names(query);
    if (names === null) return null;
    const entries: Pair[] = [];
    let [at, length] = [0, 0];
    for (let size = FIRST; at < names.length && length < PAGE_LENGTH; size *= 4) {
      const part = await this.#read(names.slice(at, at + size), query.values);
      entries.push(...part.entries);
      at += size;
      length += part.length;
    }
    const isLast = at >= names.length && names.length < query.limit;
    return { entries, next: isLast ? null : names[Math.min(at, names.length) - 1]! };
  }

  /** Every record with a prefix. */
  iterate(prefix: string, values: boolean): AsyncIterable<Pair | null> {
    return itemsOf(this.#walk(prefix, values));
  }

  /** Removes expired records, and sets the index right. */
  async prune(prefix: string, now: number): Promise<number> {
    const index = this.#indexes.under(prefix);
    if (index !== null) await this.#builds.repair(index);
    let removed = 0;
    for await (const page of this.#walk(prefix, false)) {
      const expired = page.filter((pair): pair is Pair => pair !== null && !isFresh(pair[1], now));
      const results = await Promise.all(
        expired.map(([key, record]) =>
          // At moment 0 no record has expired yet, so that the version is compared.
          commitToRedis(
            this.#wire,
            [{ key, version: versionOf(record) }],
            [{ key, record: null }],
            0,
            this.ordering,
          ),
        ),
      );
      removed += results.filter(({ ok }) => ok).length;
    }
    return removed;
  }

  async *#walk(prefix: string, values: boolean): RecordPages {
    let after: string | null = null;
    let limit = FIRST;
    const ask = (): { size: number; names: Promise<string[] | null> } => {
      const names = this.#names({ prefix, after, reverse: false, limit });
      // The listing may have ended before this fails.
      names.catch(() => undefined);
      return { size: limit, names };
    };
    for (let asked = ask(); ;) {
      const names = await asked.names;
      if (names === null) return yield* this.#pass(prefix, after, values);
      const isLast = names.length < asked.size;
      after = names.at(-1) ?? after;
      // The server goes on while this page is read and decoded.
      if (!isLast) asked = ask();
      const { entries, length } = await this.#read(names, values);
      limit = nextCount(limit, names.length, length);
      // A large page is handed on before the next one comes on top.
      yield length > PAGE_LENGTH ? [...entries, null] : entries;
      if (isLast) return;
    }
  }

  /** The rest of a listing whose index was lost: by looking at all keys. */
  async *#pass(prefix: string, after: string | null, values: boolean): RecordPages {
    const wire = this.#wire;
    const pages = scanAll(wire, prefix, {
      read: (keys) =>
        (values ? textsOf(wire, keys) : headsOf(wire, keys)) as Promise<(string | null)[]>,
      decode: (text, key) => recordOf(text, key, values),
    });
    for await (const page of pages)
      yield page.filter(
        (pair) => pair === null || after === null || compareKeys(pair[0], after) > 0,
      );
  }

  /** The keys of a range; `null` while its index is not complete, or it has several indexes. */
  async #names(query: NameQuery): Promise<string[] | null> {
    const index = this.#indexes.under(query.prefix);
    if (index === null) return null;
    const names = await this.#indexes.names(index, query);
    if (names !== null || !(await this.#builds.make(index))) return names;
    return this.#indexes.names(index, query);
  }

  /** The records of keys of one index, and how long they are. Forgets keys that lead to none. */
  async #read(
    keys: readonly string[],
    values: boolean,
  ): Promise<{ entries: Pair[]; length: number }> {
    if (keys.length === 0) return { entries: [], length: 0 };
    const texts = await (values ? textsOf(this.#wire, keys) : headsOf(this.#wire, keys));
    const entries: Pair[] = [];
    const gone: string[] = [];
    let length = 0;
    keys.forEach((key, i) => {
      const text = texts[i] === null ? null : String(texts[i]);
      const record = recordOf(text, key, values);
      length += text?.length ?? 0;
      if (record === null) gone.push(key);
      else entries.push([key, record]);
    });
    try {
      await this.#indexes.forget(this.#indexes.of(keys[0]!), gone);
    } catch {
      // A user who may only read: what was found is true whether or not the rest can be removed.
    }
    return { entries, length };
  }

  /** Removes some names of records that Redis has removed. It rides on writes with a deadline. */
  async #sweep(index: OrderIndex, dated: number): Promise<void> {
    try {
      if (dated > 0) await this.#indexes.dated(index, dated);
    } catch {
      // The write that this rides on has succeeded, and must say so. The next sweep tries again.
    }
  }

  #batches(writes: readonly Write[]): Batch[] {
    const batches: Batch[] = [];
    for (const places of this.#indexes.groups(writes.map(({ key }) => key))) {
      let batch: Batch | null = null;
      for (const place of places) {
        const { key, record } = writes[place]!;
        const text = record === null ? "" : encodeRecordText(record, key);
        if (batch === null || batch.keys.length === MOST || batch.length > LENGTH) {
          batch = { index: this.#indexes.of(key), keys: [], args: [], length: 0, dated: 0 };
          batches.push(batch);
        }
        const deadline = record?.expires ?? null;
        batch.keys.push(this.#wire.before + key);
        batch.args.push(text, deadline === null ? "" : String(deadline));
        batch.length += text.length;
        if (deadline !== null) batch.dated++;
      }
    }
    return batches;
  }
}

/** The record in an answer; `null` for what is no record. */
const recordOf = (text: string | null, key: string, values: boolean): KvRecord | null =>
  text === null ? null : values ? listed(text, key, true) : decodeRecord(text, key, false);

/** The same adapter, which keeps its keys in order. */
export function orderedAdapter(adapter: Adapter, wire: RedisWire): Adapter {
  const keys = new OrderedKeys(wire);
  const { names, structure, touch } = adapter;
  return {
    ...adapter,
    // A script that the server has forgotten is sent again, behind later commands.
    inOrder: undefined,
    set: (key, record) => keys.write([{ key, record }]).catch(rejecting(key)),
    del: (key) => keys.write([{ key, record: null }]).catch(rejecting(key)),
    setMany: (writes) => keys.write(writes).catch(rejecting()),
    seek: (query) => keys.page(query).catch(rejecting()),
    iterate: (prefix, values) => keys.iterate(prefix, values),
    prune: ({ prefix, now }) => keys.prune(prefix, now).catch(rejecting()),
    async commit(checks, writes, now) {
      for (const { key } of writes) checkReserved(key);
      const result = await commitToRedis(wire, checks, writes, now, keys.ordering);
      await keys.noteDeadlines(...writes);
      return result;
    },
    async count(key, record, rules) {
      checkReserved(key);
      counting ??= await import("./count.ts");
      const counted = await counting.countInRedis(wire, key, record, rules, keys.ordering);
      await keys.noteDeadlines({ key, record });
      return counted;
    },
    async touch(key, expires) {
      const isThere = await touch!(key, expires);
      await keys.noteDeadlines({ key, record: new StoredRecord(null, expires, null, null) });
      return isThere;
    },
    async structure(name, place, ...args) {
      checkReserved(place.key);
      return structure!(name, place, ...args);
    },
    async *names(prefix) {
      for await (const item of names!(prefix))
        if (item === null || !isReserved(item[0])) yield item;
    },
  };
}
