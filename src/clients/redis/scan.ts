import { redisError } from "./errors.ts";
import type { RedisNode, RedisWire } from "./wire.ts";
import type { KvRecord } from "../../record/types.ts";

/**
 * How many places the first page looks at, while the number of keys is unknown. Each looks at twice
 * as many as the one before it…
 */
const FIRST = 100;
/** … up to so many: a server is busy with them for about a millisecond. */
const MOST = 4000;
/**
 * About how many characters of records a page may hold: it looks at fewer places when records are
 * large.
 */
const PAGE_LENGTH = 4_000_000;

/** How a page is read. */
export interface PageReader {
  /** The commands for each key, in their order. */
  read(keys: readonly string[]): Promise<readonly (string | null)[]>;
  /** The record in an answer; `null` for a key that is left out. */
  decode(text: string | null, key: string): KvRecord | null;
}

/** A literal text as a pattern of MATCH. */
export const literalPattern = (text: string): string => text.replace(/[*?[\]\\^-]/g, "\\$&");

type ScanReply = readonly [cursor: string, keys: readonly string[]];

/** The distribution of slots over servers, as last seen: changes when one moves. */
export const slotLayout = async (nodes: readonly RedisNode[]): Promise<string> =>
  JSON.stringify(await nodes[0]?.send(["CLUSTER", "SLOTS"]));

type Pair = readonly [key: string, record: KvRecord];

/** Pages of records as they are read. */
export type RecordPages = AsyncGenerator<readonly (Pair | null)[], void, undefined>;

/** Every record under a prefix, each key once: page after page from every server. */
export const scan = (
  wire: RedisWire,
  prefix: string,
  reader: PageReader,
): AsyncIterable<Pair | null> => itemsOf(scanAll(wire, prefix, reader));

/**
 * The records of pages. A record that has arrived is returned without a promise: a promise for each
 * would take longer than reading it. A page without any is `null`.
 */
export function itemsOf(pages: RecordPages): AsyncIterable<Pair | null> {
  let page: readonly (Pair | null)[] = [];
  let at = 0;
  async function turn(): Promise<IteratorResult<Pair | null, undefined>> {
    const { done, value } = await pages.next().catch((error) => {
      throw redisError(error);
    });
    if (done) return { done, value: undefined };
    page = value;
    at = 1;
    return { done: false, value: page[0] ?? null };
  }
  const next = (): unknown => (at < page.length ? { done: false, value: page[at++]! } : turn());
  // A caller that awaits `next()` sees no difference.
  return {
    [Symbol.asyncIterator]: () =>
      ({ next, return: () => pages.return(undefined) }) as AsyncIterator<Pair | null>,
  };
}

/** Pages from every server, the next keys on their way while a page is read. */
export async function* scanAll(wire: RedisWire, prefix: string, reader: PageReader): RecordPages {
  const pages = {
    pattern: `${literalPattern(wire.prefix + prefix)}*`,
    cut: wire.prefix.length,
    prefix,
    seen: new Set<string>(),
    count: FIRST,
  };
  if (!wire.isCluster) return yield* scanNode((await wire.nodes())[0]!, pages, reader);
  // A slot that moves from a server that is still to come to one that was passed would be missed:
  // then all are passed once more.
  for (let before = ""; ;) {
    const nodes = await wire.nodes();
    const now = await slotLayout(nodes);
    if (now === before) return;
    before = now;
    for (const node of nodes) yield* scanNode(node, pages, reader);
  }
}

interface Pages {
  readonly pattern: string;
  /** How much of a key on the server belongs to the client's own prefix. */
  readonly cut: number;
  readonly prefix: string;
  readonly seen: Set<string>;
  count: number;
}

/** The listing may have ended before it failed. */
function unheard<T>(pending: Promise<T>): Promise<T> {
  pending.catch(() => undefined);
  return pending;
}

async function* scanNode(node: RedisNode, pages: Pages, { read, decode }: PageReader): RecordPages {
  const scanFrom = (cursor: string): Promise<ScanReply> =>
    unheard(
      node.send([
        "SCAN",
        cursor,
        "MATCH",
        pages.pattern,
        "COUNT",
        String(pages.count),
      ]) as Promise<ScanReply>,
    );
  let epoch = node.epoch();
  let scanning: Promise<ScanReply> | null = scanFrom("0");
  let keys: string[] = [];
  let reading: ReturnType<PageReader["read"]> | null = null;
  while (scanning !== null || reading !== null) {
    const [texts, scanned] = [await reading, await scanning];
    const known = keys;
    [scanning, reading] = [null, null];
    // The server goes on while its answer is decoded.
    if (scanned !== null) {
      const [cursor, names] = scanned;
      // A cursor means nothing to another server: the scan starts again, without the keys seen so
      // far.
      const isOther = node.epoch() !== epoch;
      epoch = node.epoch();
      keys = unseen(names, pages);
      if (keys.length > 0) reading = unheard(read(keys));
      else pages.count = Math.min(MOST, 2 * pages.count);
      if (isOther || String(cursor) !== "0") scanning = scanFrom(isOther ? "0" : cursor);
    }
    // Every answer is a sign of life for the listing.
    if (texts !== null) yield decoded(texts, known, pages, decode);
    else if (keys.length === 0) yield [];
  }
}

function unseen(names: readonly string[], { cut, prefix, seen }: Pages): string[] {
  const keys: string[] = [];
  for (const name of names) {
    const key = name.slice(cut);
    if (!key.startsWith(prefix) || seen.has(key)) continue;
    seen.add(key);
    keys.push(key);
  }
  return keys;
}

function decoded(
  texts: readonly (string | null)[],
  keys: readonly string[],
  pages: Pages,
  decode: PageReader["decode"],
): (Pair | null)[] {
  const found: (Pair | null)[] = [];
  let length = 1;
  for (let i = 0; i < keys.length; i++) {
    const text = texts[i] ?? null;
    length += text?.length ?? 0;
    const record = decode(text, keys[i]!);
    if (record !== null) found.push([keys[i]!, record]);
  }
  // Enough for now: the next page would come on top.
  if (length > PAGE_LENGTH / 4) found.push(null);
  pages.count = nextCount(pages.count, keys.length, length);
  return found;
}

/** How many places the next page looks at, behind one with so many keys of some length. */
export const nextCount = (count: number, keys: number, length: number): number =>
  Math.max(10, Math.min(MOST, 2 * count, Math.floor((PAGE_LENGTH * keys) / Math.max(1, length))));
