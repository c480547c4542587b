import type { Store } from "../../api.ts";
import { KvError } from "../../errors.ts";
import { builtin } from "../../platform/node.ts";
import { checkOptions } from "../../platform/options.ts";
import { requireStore } from "../../store/require-store.ts";
import { callWith } from "../shared/callback.ts";
import { idOf, namesOf, type Variants, variantOf } from "./key.ts";

/** Options of {@link undiciCacheStore}. */
export interface UndiciCacheOptions {
  /** A literal text before all keys. Default `""`. */
  prefix?: string | undefined;
  /**
   * Gets the errors of reads, which count as misses, and of deletions, which undici does not await.
   * Default `console.error`.
   */
  onError?: ((error: unknown) => void) | undefined;
}

/** A request, as undici names it. */
export interface UndiciCacheKey {
  origin: string;
  method: string;
  path: string;
  headers?: { [name: string]: string | string[] };
}

/** A response without its body. */
export interface UndiciCacheValue {
  statusCode: number;
  statusMessage: string;
  headers: { [name: string]: string | string[] };
  vary?: { [name: string]: string | string[] | null };
  etag?: string;
  cacheControlDirectives?: object;
  /** Milliseconds since 1970, as are the other two. */
  cachedAt: number;
  staleAt: number;
  deleteAt: number;
}

/** A stream of Node that can be written, for programs whose TypeScript knows Node. */
type NodeWritable = typeof globalThis extends { process: { stderr: infer Stream } }
  ? Stream
  : object;

/** A Buffer of Node, likewise. */
type NodeBuffer = typeof globalThis extends { Buffer: { from(text: string): infer Bytes } }
  ? Bytes
  : Uint8Array;

/** A stored response. */
export interface UndiciCacheResult extends UndiciCacheValue {
  cacheControlDirectives: object;
  body: NodeBuffer;
}

/** The `store` of undici's cache interceptor. */
export interface UndiciCacheStore {
  get(key: UndiciCacheKey): Promise<UndiciCacheResult | undefined>;
  createWriteStream(key: UndiciCacheKey, value: UndiciCacheValue): NodeWritable;
  delete(key: UndiciCacheKey): Promise<void>;
}

/** A response as it is stored: the body is Base64. */
interface Stored {
  readonly value: UndiciCacheValue;
  readonly body: string;
}

const METHODS = ["GET", "HEAD", "OPTIONS", "TRACE", "QUERY"];

const isStored = (found: Stored | Variants | null): found is Stored =>
  found !== null && "value" in found;

/** Keeps a response. One that varies is kept behind the list of the headers that it varies by. */
async function keep(
  store: Store,
  key: UndiciCacheKey,
  value: UndiciCacheValue,
  body: string,
): Promise<void> {
  const options = { expires: new Date(value.deleteAt) };
  const id = idOf(key, key.method);
  const stored = { value, body };
  if (value.vary === undefined) {
    await store.set(id, stored, options);
    return;
  }
  const names = namesOf(value.vary);
  const found = (await store.get(id)) as Stored | Variants | null;
  const isKnown = found !== null && !isStored(found) && `${found.names}` === `${names}`;
  const variants: Variants = isKnown ? found : { names, generation: crypto.randomUUID() };
  // The list lives as long as its last variant.
  const until = (await store.entry(id))?.expires ?? 0;
  const last = { expires: new Date(Math.max(isKnown ? until : 0, value.deleteAt)) };
  await store.setMany([
    [variantOf(id, variants, value.vary), stored, options],
    [id, variants, last],
  ]);
}

/** Finds the response that fits the headers of a request. */
async function find(store: Store, key: UndiciCacheKey): Promise<UndiciCacheResult | undefined> {
  const id = idOf(key, key.method);
  let found = (await store.get(id)) as Stored | Variants | null;
  if (found !== null && !isStored(found))
    found = (await store.get(variantOf(id, found, key.headers ?? {}))) as Stored | null;
  if (!isStored(found)) return undefined;
  const { Buffer } = builtin("node:buffer");
  const { value, body } = found;
  return { cacheControlDirectives: {}, ...value, body: Buffer.from(body, "base64") };
}

async function runAfter(
  before: Promise<void> | undefined,
  work: () => Promise<unknown>,
): Promise<void> {
  await before;
  await work();
}

/**
 * A `store` for the cache interceptor of undici: the HTTP cache of `fetch` and `request` in Node.
 *
 * A response is absent from its `deleteAt` on. Responses that vary are kept for each value of the
 * headers. A read after the end of a write sees it. A request goes to the origin when a read fails,
 * and is answered without the cache when a write fails.
 *
 * @throws {KvError} KV_INVALID_CLIENT for anything but a store; KV_INVALID_VALUE for wrong or
 * unknown options.
 * @example
 * import { Agent, interceptors } from "undici";
 * import kv from "anykv";
 * import { undiciCacheStore } from "anykv/with/undici";
 *
 * const store = undiciCacheStore(kv(new Map()), { prefix: "http:" });
 * const agent = new Agent().compose(interceptors.cache({ store }));
 * await agent.close();
 */
export function undiciCacheStore(store: Store, options: UndiciCacheOptions = {}): UndiciCacheStore {
  checkOptions(options, ["prefix", "onError"], "undiciCacheStore()");
  requireStore(store, "undiciCacheStore()");
  const { prefix, onError = console.error } = options;
  if (typeof onError !== "function") throw new KvError("KV_INVALID_VALUE", "onError is a function");
  const base = store.prefix(prefix);
  // Reads wait for the writes and deletions of their URL that have begun.
  const pending = new Map<string, Promise<void>>();
  const inTurn = async (key: UndiciCacheKey, work: () => Promise<unknown>): Promise<void> => {
    const url = idOf(key, "");
    const done = runAfter(pending.get(url), work);
    const settled = done.catch(() => undefined);
    pending.set(url, settled);
    try {
      await done;
    } finally {
      if (pending.get(url) === settled) pending.delete(url);
    }
  };
  return {
    async get(key) {
      await pending.get(idOf(key, ""));
      try {
        return await find(base, key);
      } catch (error) {
        onError(error);
        return undefined;
      }
    },
    createWriteStream(key, value) {
      const { Buffer } = builtin("node:buffer");
      const chunks: Buffer[] = [];
      return new (builtin("node:stream").Writable)({
        write(chunk: Buffer, _encoding, callback) {
          chunks.push(chunk);
          callback();
        },
        final(callback) {
          const body = Buffer.concat(chunks).toString("base64");
          const kept = inTurn(key, () => keep(base, key, value, body));
          callWith(kept, (error) => callback(error as Error | null));
        },
      }) as unknown as NodeWritable;
    },
    delete: (key) =>
      inTurn(key, () => base.delMany(METHODS.map((method) => idOf(key, method)))).catch(onError),
  };
}
