import type { Entry, EntryPage, ListOptions } from "../api.ts";
import { decode, locate } from "./checked.ts";
import type { StoreContext } from "./context.ts";
import { decodeCursor, decodePlace, encodeCursor, encodePlace } from "./cursor.ts";
import type { Guarded } from "./guarded.ts";
import { KvError } from "../errors.ts";
import { mapLimit } from "./lists.ts";
import { listInTurn } from "./listings.ts";
import { type Drop, ordered, type Pair, type Range, SMALL, walked } from "./pages.ts";
import { checkOptions } from "../platform/options.ts";
import { checkPrefix } from "../prefix.ts";
import { readNow, readRecord } from "./read.ts";
import { isFresh } from "../record/freshness.ts";
import { isolated } from "../record/record.ts";
import { versionOf } from "../record/version.ts";

const OPTIONS = ["prefix", "limit", "cursor", "reverse", "ordered"];

const toEntry = (context: StoreContext, [key, record]: Pair): Entry<unknown> => ({
  key: key.slice(context.prefix.length),
  value: decode(context, record.value, key),
  version: versionOf(record),
  expires: record.expires,
  metadata: record.metadata,
});

/** `store.entry()` */
export async function getEntry(context: StoreContext, key: string): Promise<Entry<unknown> | null> {
  const full = locate(context, key);
  const record = await readRecord(context, full);
  return record && toEntry(context, [full, record]);
}

/** What `list()` is asked for. */
interface Listing {
  readonly range: Omit<Range, "after">;
  /** The part of the prefix that is an option. */
  readonly inner: string;
  readonly limit: number;
  readonly after: string | null;
  /** Where a listing without an order has stopped, `null` for its start. */
  readonly from: string | null;
  readonly ordered: boolean;
}

const invalid = (message: string): KvError => new KvError("KV_INVALID_VALUE", message);

function listingOf({ prefix }: StoreContext, options: ListOptions): Listing {
  checkOptions(options, OPTIONS, "list()");
  const { prefix: inner = "", limit = 100, cursor = null, reverse = false } = options;
  const { ordered: isOrdered = true } = options;
  if (!Number.isSafeInteger(limit) || limit < 1)
    throw invalid("limit has to be a whole number from 1");
  if (!isOrdered && reverse) throw invalid("reverse needs an order: leave out ordered: false");
  const range = { prefix: prefix + checkPrefix(inner), reverse };
  const from = isOrdered ? null : decodePlace(cursor, range, inner);
  const after = cursor === null || from !== null ? null : decodeCursor(cursor, range, inner);
  return { range, inner, limit, after, from, ordered: isOrdered };
}

/** `store.list()` */
export async function listPage(
  context: StoreContext,
  options: ListOptions = {},
): Promise<EntryPage<unknown>> {
  const listing = listingOf(context, options);
  return listInTurn(
    context,
    listing.range.prefix,
    async (adapter, drop) =>
      (await walkedPage(context, listing, adapter, drop)) ??
      orderedPage(context, listing, adapter, drop),
  );
}

/** A page without an order; `null` where the client has one, or no other way. */
async function walkedPage(
  context: StoreContext,
  { range, inner, limit, after, from, ordered: isOrdered }: Listing,
  adapter: Guarded,
  drop: Drop,
): Promise<EntryPage<unknown> | null> {
  const { walk } = adapter;
  if (from !== null && walk === undefined)
    throw new KvError("KV_INVALID_CURSOR", "this cursor was made by a listing of another client");
  if (walk === undefined || isOrdered || after !== null) return null;
  if (from === null && (await hasOrder(adapter, range.prefix))) return null;
  const query = { prefix: range.prefix, from, limit };
  const { page, next } = await walked(walk, query, context.prefix, drop);
  return {
    entries: page.map((pair) => toEntry(context, pair)),
    cursor: next === null ? null : encodePlace(next, range, inner),
  };
}

/** Whether a client gives pages in key order now. */
async function hasOrder({ page, seek }: Guarded, prefix: string): Promise<boolean> {
  if (page !== undefined || seek === undefined) return page !== undefined;
  const query = { prefix, after: null, limit: 1, reverse: false, values: false };
  return (await seek(query)) !== null;
}

async function orderedPage(
  context: StoreContext,
  { range, inner, limit, after }: Listing,
  adapter: Guarded,
  drop: Drop,
): Promise<EntryPage<unknown>> {
  // One more than the limit tells whether there is another page.
  const found = await ordered(adapter, { ...range, after }, limit + 1, context.prefix, true, drop);
  const page = found.slice(0, limit);
  // Where all records were passed for a small page, their values were not read.
  const read = async ([key, record]: Pair) =>
    [key, record.value === null ? await readNow(context, key, adapter) : isolated(record)] as const;
  const isWhole = (adapter.page ?? adapter.seek) !== undefined || limit > SMALL;
  const isFilled = isWhole && page.every(([, { value }]) => value !== null);
  const filled = isFilled ? page : await mapLimit(page, read);
  const now = Date.now();
  // Records that were deleted since then are left out.
  return {
    entries: filled
      .filter((pair): pair is Pair => isFresh(pair[1], now))
      .map((pair) => toEntry(context, pair)),
    cursor: found.length > limit ? encodeCursor(page[limit - 1]![0], range, inner) : null,
  };
}
