import { KvError } from "../errors.ts";
import { decodePosition, encodePosition } from "./cursor.ts";
import type { PageOptions, TextRange } from "./pages.ts";
import type { VersionedEntry, VersionedList, VersionedListOptions } from "./types.ts";

/** The largest `batchSize`. */
const MAX_BATCH = 1000;

/** An entry, and the stored text that the cursor behind it names. */
export interface Listed<T> {
  readonly text: string;
  readonly entry: VersionedEntry<T>;
}

const invalid = (message: string): KvError => new KvError("KV_INVALID_VALUE", message);

function count(name: string, value: number | undefined): number | undefined {
  if (value === undefined || (Number.isSafeInteger(value) && value >= 1)) return value;
  throw invalid(`${name} has to be a whole number from 1`);
}

/** Runs the work now. The returned function gives its result, or throws its error. */
function later<T>(work: () => T): () => T {
  try {
    const result = work();
    return () => result;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

/**
 * An iteration with `limit`, `cursor` and `reverse` over pages of entries.
 *
 * @param rangeOf the range that the cursor belongs to. It is called now; its error rejects the
 * iteration.
 * @param read the pages of the range.
 * @throws {KvError} KV_INVALID_VALUE at once for a `limit` or `batchSize` that is not a number from
 * 1.
 */
export function listEntries<T>(
  { cursor, reverse = false, ...options }: VersionedListOptions,
  rangeOf: () => TextRange,
  read: (range: TextRange, options: PageOptions) => AsyncIterable<readonly Listed<T>[]>,
): VersionedList<T> {
  const limit = count("limit", options.limit) ?? Infinity;
  const size = count("batchSize", options.batchSize) ?? Math.min(limit, 100);
  const begin = later(() => {
    const range = rangeOf();
    if (size > MAX_BATCH) throw invalid(`batchSize is at most ${MAX_BATCH}`);
    return {
      range,
      after: cursor === undefined ? undefined : decodePosition(cursor, range, reverse),
    };
  });
  let position = cursor;

  async function* entries(): AsyncGenerator<VersionedEntry<T>, void, undefined> {
    const { range, after } = begin();
    let left = limit;
    // The cursor of a finished listing gives nothing more, even if more was written since.
    const batches =
      after === null ? [] : read(range, { after, reverse, size: Math.min(size, limit), limit });
    for await (const batch of batches) {
      for (const { text, entry } of batch) {
        position = encodePosition(text, range, reverse);
        yield entry;
        if (--left === 0) return;
      }
    }
    position = encodePosition(null, range, reverse);
  }

  const generator = entries();
  return {
    next: () => generator.next(),
    return: async () => generator.return(),
    [Symbol.asyncIterator]() {
      return this;
    },
    get cursor() {
      if (position !== undefined) return position;
      throw new KvError("KV_INVALID_CURSOR", "a listing has a cursor from its first entry on");
    },
  };
}
