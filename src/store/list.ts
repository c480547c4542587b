import type { Entry, EntryPage, ListOptions } from "../api.ts";
import { decode, locate } from "./checked.ts";
import type { StoreContext } from "./context.ts";
import { decodeCursor, encodeCursor } from "./cursor.ts";
import { KvError } from "../errors.ts";
import { mapLimit } from "./lists.ts";
import { listInTurn } from "./listings.ts";
import { ordered, type Pair, SMALL } from "./pages.ts";
import { checkOptions } from "../platform/options.ts";
import { checkPrefix } from "../prefix.ts";
import { readNow, readRecord } from "./read.ts";
import { isFresh } from "../record/freshness.ts";
import { isolated } from "../record/record.ts";
import { versionOf } from "../record/version.ts";

const OPTIONS = ["prefix", "limit", "cursor", "reverse"];

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

/** `store.list()` */
export async function listPage(
  context: StoreContext,
  options: ListOptions = {},
): Promise<EntryPage<unknown>> {
  checkOptions(options, OPTIONS, "list()");
  const { prefix: inner = "", limit = 100, cursor = null, reverse = false } = options;
  if (!Number.isSafeInteger(limit) || limit < 1)
    throw new KvError("KV_INVALID_VALUE", "limit has to be a whole number from 1");
  const { prefix } = context;
  const range = { prefix: prefix + checkPrefix(inner), reverse };
  const after = cursor === null ? null : decodeCursor(cursor, range, inner);
  return listInTurn(context, range.prefix, async (adapter, drop) => {
    // One more than the limit tells whether there is another page.
    const found = await ordered(adapter, { ...range, after }, limit + 1, prefix, true, drop);
    const page = found.slice(0, limit);
    // Where all records were passed for a small page, their values were not read.
    const read = async ([key, record]: Pair) =>
      [
        key,
        record.value === null ? await readNow(context, key, adapter) : isolated(record),
      ] as const;
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
  });
}
