import { KvError } from "../../errors.ts";
import type { PageQuery } from "../adapter.ts";
import { compareKeys, utf8Length } from "../../record/utf8.ts";

/** A key in a listing. */
export interface WorkersKey {
  readonly name: string;
  readonly metadata?: unknown;
}

/** A page of keys, and how to go on. */
export interface WorkersList {
  readonly keys: readonly WorkersKey[];
  readonly list_complete: boolean;
  readonly cursor?: string;
}

/** The part of a Workers KV binding that is used. */
export interface WorkersKv {
  get(key: string): Promise<string | null>;
  get(keys: string[]): Promise<unknown>;
  put(
    key: string,
    value: string,
    options?: { expirationTtl?: number; metadata?: unknown },
  ): Promise<void>;
  delete(key: string): Promise<void>;
  list(options: { prefix?: string; limit?: number; cursor?: string }): Promise<WorkersList>;
  getWithMetadata(key: string): Promise<unknown>;
}

const LIST_KEYS = 1000;
// A caller that asks for so many wants all of them. A page is then the answer of one call.
const MANY = 500;
const LONGEST = 512;
// How many places in listings are remembered. A listing under way needs one.
const PLACES = 64;

/**
 * The name of a key. Workers KV rejects "." and ".." as names. They, and these names with zeros
 * behind them, get one more zero, which keeps the order.
 */
export function kvNameOf(key: string): string {
  const name = /^\.\.?\0*$/.test(key) ? `${key}\0` : key;
  if (name !== key && utf8Length(name) > LONGEST)
    throw new KvError(
      "KV_TOO_LARGE",
      "a key of dots and zeros takes a byte more here: use a shorter one",
      { key },
    );
  return name;
}

const keyOf = (name: string): string => (/^\.\.?\0+$/.test(name) ? name.slice(0, -1) : name);

/**
 * Where to go on: the cursor, and whether it stands exactly behind the key, or somewhere before.
 */
interface Place {
  readonly cursor: string;
  readonly isExact: boolean;
}

/**
 * Pages of keys in order. A listing goes on only from where Workers KV has stopped by itself, so
 * such places are remembered.
 */
export class WorkersKeys {
  readonly #client: WorkersKv;
  readonly #places = new Map<string, Place>();

  constructor(client: WorkersKv) {
    this.#client = client;
  }

  /**
   * The keys of a page, and whether it is the last. Forwards it costs a call or two. From an
   * unknown position, and backwards, it costs one for every thousand keys on the way.
   */
  async page({
    prefix,
    after,
    reverse,
    ...query
  }: PageQuery): Promise<{ keys: WorkersKey[]; isLast: boolean }> {
    // Some versions ignore the part of a prefix behind a zero: the keys are filtered here.
    const asked = prefix.split("\0", 1)[0]!;
    const limit = query.limit < MANY ? query.limit : LIST_KEYS;
    const isWanted = ({ name }: WorkersKey): boolean =>
      name.startsWith(prefix) &&
      (after === null || (reverse ? compareKeys(name, after) < 0 : compareKeys(name, after) > 0));
    const found: WorkersKey[] = [];
    const place = after === null || reverse ? undefined : this.#places.get(placeOf(prefix, after));
    // The keys before the page have to be passed.
    const size = !reverse && (after === null || place?.isExact) ? limit : LIST_KEYS;
    let cursor = place?.cursor;
    for (;;) {
      const list = await this.#client.list({
        prefix: asked,
        limit: size,
        ...(cursor !== undefined && { cursor }),
      });
      const keys = list.keys.map(({ name, metadata }) => ({ name: keyOf(name), metadata }));
      const isLast = list.list_complete || list.cursor === undefined;
      const end = keys.at(-1)?.name;
      found.push(...keys.filter(isWanted));
      if (reverse) {
        // The last ones are wanted: no more than those are kept.
        found.splice(0, Math.max(0, found.length - limit));
        const isBehind = after !== null && end !== undefined && compareKeys(end, after) >= 0;
        if (isLast || isBehind) return { keys: found.reverse(), isLast: found.length < limit };
      } else if (found.length >= limit) {
        const page = found.slice(0, limit);
        const last = page.at(-1)!.name;
        this.#remember(prefix, last, last === end ? list.cursor : cursor, last === end);
        // list() asks for one key more than it shows, and goes on behind the last that it has
        // shown.
        if (limit > 1) this.#remember(prefix, page.at(-2)!.name, cursor, false);
        return { keys: page, isLast: isLast && last === end };
      } else if (isLast) {
        return { keys: found, isLast };
      }
      cursor = list.cursor;
    }
  }

  #remember(prefix: string, key: string, cursor: string | undefined, isExact: boolean): void {
    const place = placeOf(prefix, key);
    this.#places.delete(place);
    if (cursor !== undefined) this.#places.set(place, { cursor, isExact });
    for (const oldest of this.#places.keys()) {
      if (this.#places.size <= PLACES) return;
      this.#places.delete(oldest);
    }
  }
}

const placeOf = (prefix: string, after: string): string => `${prefix.length}:${prefix}${after}`;
