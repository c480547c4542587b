import type { Store } from "../../api.ts";
import { builtin } from "../../platform/node.ts";
import { type NextOptions, openNext } from "./options.ts";
import { nextKey, now, YEAR } from "./tags.ts";

/** An entry of `use cache`. Durations are in seconds. */
export interface NextEntry {
  value: ReadableStream<Uint8Array>;
  tags: string[];
  stale: number;
  /** Milliseconds since 1970. */
  timestamp: number;
  expire: number;
  revalidate: number;
}

/** An entry as it is stored: the value is Base64. */
type StoredEntry = Omit<NextEntry, "value"> & { readonly value: string };

/** One of the `cacheHandlers` of Next.js. */
export interface NextUseCacheHandler {
  get(key: string, softTags: string[]): Promise<NextEntry | undefined>;
  set(key: string, pending: Promise<NextEntry>): Promise<void>;
  refreshTags(): Promise<void>;
  getExpiration(tags: string[]): Promise<number>;
  updateTags(tags: string[], durations?: { expire?: number }): Promise<void>;
}

/** @throws what the stream breaks with: half a value is none. */
async function contentOf(stream: ReadableStream<Uint8Array>): Promise<string> {
  const { Buffer } = builtin("node:buffer");
  const chunks: Uint8Array[] = [];
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return Buffer.concat(chunks).toString("base64");
    chunks.push(value);
  }
}

function streamOf(content: string): ReadableStream<Uint8Array> {
  const bytes = new Uint8Array(builtin("node:buffer").Buffer.from(content, "base64"));
  return new ReadableStream({
    start(controller) {
      controller.enqueue(bytes);
      controller.close();
    },
  });
}

async function keep(store: Store, key: string, entry: NextEntry): Promise<void> {
  const until = Math.min(entry.timestamp + entry.expire * 1000, now() + YEAR);
  const value = await contentOf(entry.value);
  if (until <= now()) return;
  const { tags, stale, timestamp, expire, revalidate } = entry;
  const stored: StoredEntry = { tags, stale, timestamp, expire, revalidate, value };
  await store.set(nextKey(key), stored, { expires: new Date(until) });
}

/**
 * A handler of `use cache`, for the `cacheHandlers` of Next.js.
 *
 * An entry is served until its `expire`, and Next.js renders it again after its `revalidate`.
 * Revalidated tags count in every process. A read waits for a write of the same key that has begun
 * in this process. A broken stream is not stored. A read that fails is a miss, and a write that
 * fails is left out; both go to `onError`. A revalidation that fails rejects.
 *
 * @throws {KvError} KV_NOT_SUPPORTED where `supports.atomic` is `"no"`; KV_INVALID_CLIENT for
 * anything but a store; KV_INVALID_VALUE for wrong or unknown options.
 * @example
 * import kv from "anykv";
 * import { nextCacheHandlers } from "anykv/with/next";
 *
 * const handler = nextCacheHandlers(kv(new Map()), { prefix: "next:" });
 * const entry = { tags: ["a"], stale: 30, timestamp: Date.now(), expire: 60, revalidate: 60 };
 * await handler.set("key", Promise.resolve({ ...entry, value: new Blob(["text"]).stream() }));
 * console.log(await new Response((await handler.get("key", [])).value).text()); // text
 * await handler.updateTags(["a"]);
 * console.log((await handler.get("key", [])) === undefined); // true
 */
export function nextCacheHandlers(store: Store, options: NextOptions = {}): NextUseCacheHandler {
  const { base, tags, onError } = openNext(store, options, "nextCacheHandlers()");
  const entries = base.prefix("u:");
  const pending = new Map<string, Promise<void>>();
  const find = async (key: string, softTags: string[]): Promise<NextEntry | undefined> => {
    const entry = (await entries.get(nextKey(key))) as StoredEntry | null;
    if (entry === null) return undefined;
    const state = await tags.look([...entry.tags, ...softTags], entry.timestamp);
    if (state === "absent") return undefined;
    const revalidate = state === "stale" ? -1 : entry.revalidate;
    return { ...entry, revalidate, value: streamOf(entry.value) };
  };
  return {
    async get(key, softTags) {
      await pending.get(key);
      return find(key, softTags).catch((error) => void onError(error));
    },
    async set(key, pendingEntry) {
      // Not the promise of Next.js: it would keep the state of its request.
      const done = (async () => keep(entries, key, await pendingEntry))().catch(onError);
      pending.set(key, done);
      await done;
      if (pending.get(key) === done) pending.delete(key);
    },
    // Tags are read with each entry.
    refreshTags: async () => undefined,
    // The tags of the path are checked by `get`.
    getExpiration: async () => Infinity,
    updateTags: (names, durations) => tags.revalidate(names, durations),
  };
}
