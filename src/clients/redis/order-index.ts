import { KvError } from "../../errors.ts";
import { compareKeys } from "../../record/utf8.ts";
import type { PageQuery } from "../adapter.ts";
import { FORGET, NAMES, SAMPLE } from "./order-scripts.ts";
import { runText } from "./scripts.ts";
import { isReserved, RESERVED } from "./reserved.ts";
import { bySlot, slotOf, slotOfPrefix, tagOf } from "./slot.ts";
import type { RedisWire } from "./wire.ts";

/** @throws {KvError} KV_INVALID_KEY for a key that would replace an index. */
export function checkReserved(key: string): void {
  if (isReserved(key))
    throw new KvError(
      "KV_INVALID_KEY",
      `keys that begin with ${JSON.stringify(RESERVED)} keep the order of the others`,
      { key },
    );
}

/** One index: that of a server, or that of a slot of a cluster. */
export interface OrderIndex {
  /** Its key, as commands take it. */
  readonly name: string;
  /** The key that keeps how far its build is. */
  readonly progress: string;
  /** The slot of its keys; `null` on a single server. */
  readonly slot: number | null;
}

/** Which names are asked for: those behind `after` that start with a prefix. */
export type NameQuery = Omit<PageQuery, "values">;

/** How many writes with a deadline may pass until some names are looked at. */
const WRITES = 64;
/** How many are looked at then: twice as many, so that at most half of an index is of no use. */
const LOOKS = 2 * WRITES;

/** The indexes of the keys of a client. */
export class OrderIndexes {
  readonly #wire: RedisWire;
  readonly #indexes = new Map<number, OrderIndex>();
  /** How many records with a deadline were written since the last look, by index. */
  readonly #dated = new Map<OrderIndex, number>();

  constructor(wire: RedisWire) {
    this.#wire = wire;
  }

  /** The index that has a key. */
  of(key: string): OrderIndex {
    return this.#at(this.#wire.isCluster ? slotOf(this.#wire.prefix + key) : null);
  }

  /** The index of all keys with a prefix; `null` when they are in several. */
  under(prefix: string): OrderIndex | null {
    if (!this.#wire.isCluster) return this.#at(null);
    const slot = slotOfPrefix(this.#wire.prefix + prefix);
    return slot === null ? null : this.#at(slot);
  }

  /** The places of keys in a list, by index: each script is about one. */
  groups(keys: readonly string[]): number[][] {
    if (!this.#wire.isCluster) return keys.length === 0 ? [] : [keys.map((_, i) => i)];
    return bySlot(keys.map((key) => this.#wire.prefix + key));
  }

  /** One page of the keys of an index; `null` when it is not complete. */
  async names(
    index: OrderIndex,
    { prefix: inner, after, reverse, limit }: NameQuery,
  ): Promise<string[] | null> {
    const before = this.#wire.prefix;
    const prefix = before + inner;
    const isBehind = after !== null && compareKeys(after, inner) > 0;
    // A key of the other side of the range is none to start at.
    const end = reverse && isBehind && after.startsWith(inner) ? before + after : null;
    if (reverse && after !== null && !isBehind) return [];
    const from = !reverse && isBehind ? `(${before}${after}` : prefix === "" ? "(" : `[${prefix}`;
    const args = [from, `(${end ?? prefix}`, end === null ? "1" : "0", reverse ? "1" : "0"];
    const names = await runText(this.#wire, NAMES, [index.name], [...args, String(limit)]);
    return names === null ? null : (names as unknown[]).map((name) => this.#strip(name));
  }

  /** Takes keys that lead to no record from their index. */
  async forget(index: OrderIndex, keys: readonly string[]): Promise<void> {
    if (keys.length === 0) return;
    const names = keys.map((key) => this.#wire.before + key);
    await runText(this.#wire, FORGET, [...names, index.name], []);
  }

  /**
   * Counts writes of records that Redis will remove itself. After every so many, looks at some
   * names by chance, and forgets those of removed records.
   */
  async dated(index: OrderIndex, writes: number): Promise<void> {
    const count = (this.#dated.get(index) ?? 0) + writes;
    this.#dated.set(index, count % WRITES);
    if (count < WRITES) return;
    const looks = String(Math.min(8 * LOOKS, 2 * count));
    const names = (await runText(this.#wire, SAMPLE, [index.name], [looks])) as unknown[];
    await this.forget(
      index,
      names.map((name) => this.#strip(name)).filter((key) => key !== ""),
    );
  }

  #strip(name: unknown): string {
    return String(name).slice(this.#wire.prefix.length);
  }

  #at(slot: number | null): OrderIndex {
    const known = this.#indexes.get(slot ?? -1);
    if (known !== undefined) return known;
    const key = `${RESERVED}${slot === null ? "" : tagOf(slot)}}`;
    // A `keyPrefix` with a hash tag of its own keeps all keys in one slot.
    if (slot !== null && slotOf(this.#wire.prefix + key) !== slot)
      throw new KvError(
        "KV_NOT_SUPPORTED",
        'a keyPrefix with "{" and no complete hash tag cannot be ordered on a cluster',
      );
    const name = this.#wire.before + key;
    const index = { name, progress: `${name}:build`, slot };
    this.#indexes.set(slot ?? -1, index);
    return index;
  }
}
