import { StoredRecord } from "../../record/record.ts";
import { AnswerTooLarge, type EtcdCalls, type EtcdKeyValue } from "./calls.ts";
import type { EtcdKeys } from "./keys.ts";
import { type RowBatch, ReadAhead } from "../shared/read-ahead.ts";
import { formatRevision, readMany, keyValueRecord } from "./transactions.ts";
import { type Page, PAGE_LENGTH, type PageQuery } from "../adapter.ts";
import type { KvRecord } from "../../record/types.ts";

/** Reads pages of one client: never more at once than an answer holds. */
export class EtcdPages {
  readonly #calls: EtcdCalls;
  readonly #keys: EtcdKeys;
  readonly #ahead: ReadAhead<EtcdKeyValue>;
  /** How many records fit into an answer, as far as it is known. */
  #fitting: number = Infinity;

  constructor(calls: EtcdCalls, keys: EtcdKeys) {
    this.#calls = calls;
    this.#keys = keys;
    this.#ahead = new ReadAhead(
      (query) => this.#read(query, query.after),
      ({ key }) => keys.text(key),
    );
  }

  /** Discards all records that were read ahead. */
  forget(): void {
    this.#ahead.forget();
  }

  async page(query: PageQuery): Promise<Page> {
    for (let after: string | Uint8Array | null = query.after; ;) {
      const { rows: kvs, more }: RowBatch<EtcdKeyValue> = await (after === null ||
      typeof after === "string"
        ? this.#ahead.page({ ...query, after })
        : this.#read(query, after));
      const heads = query.values ? null : await this.#heads(kvs);
      const entries: (readonly [string, KvRecord])[] = [];
      let next: string | null = null;
      for (const found of kvs) {
        const key = this.#keys.text(found.key);
        // The key that is the namespace itself is none of a store.
        if (key === null || key === "") continue;
        next = key;
        const record = heads === null ? keyValueRecord(found, key) : headIn(heads, found, key);
        if (record !== null) entries.push([key, record]);
      }
      if (!more) return { entries, next: null };
      if (next !== null) return { entries, next };
      // Nothing but keys of others that are no text: no page can start behind them by a text.
      after = kvs.at(-1)!.key;
    }
  }

  async #read(
    query: PageQuery,
    after: string | Uint8Array | null,
  ): Promise<RowBatch<EtcdKeyValue>> {
    for (;;) {
      const limit = Math.min(query.limit, this.#fitting);
      try {
        const answer = await this.#calls.call("range", {
          ...this.#keys.range({ ...query, after }),
          limit,
          keys_only: !query.values,
        });
        if (
          limit === this.#fitting &&
          answer.kvs.reduce((sum, { value }) => sum + value.length, 0) < PAGE_LENGTH
        )
          this.#fitting *= 2;
        return { rows: answer.kvs, more: answer.more };
      } catch (error) {
        if (!(error instanceof AnswerTooLarge) || limit === 1) throw error;
        this.#fitting = Math.max(1, Math.floor(limit / 4));
      }
    }
  }

  /** The stored keys with a lease: they tell whether keys have expired. */
  async #heads(kvs: readonly EtcdKeyValue[]): Promise<Heads> {
    const leased = kvs.filter(({ lease }) => lease !== "0");
    const read = await readMany(
      this.#calls,
      leased.map(({ key }) => key),
    );
    return new Map(leased.map((found, i) => [found, read[i]!]));
  }
}

/** The records by listed key; `null` for one that was deleted meanwhile. */
type Heads = Map<EtcdKeyValue, EtcdKeyValue | null>;

/** The head of a listed key. Nothing tells items of others here: they count as the store's. */
function headIn(heads: Heads, found: EtcdKeyValue, key: string): KvRecord | null {
  const read = heads.get(found);
  if (read === null) return null;
  const head = read === undefined ? null : keyValueRecord(read, key, false);
  return head ?? new StoredRecord(null, null, formatRevision(found.mod_revision), null);
}
