import type { StoreWatchOptions, WatchEvent, WatchTarget } from "../../api.ts";
import { durationOf, MOST_INTERVAL } from "../../concurrency/interval.ts";
import { KvError } from "../../errors.ts";
import { checkOptions } from "../../platform/options.ts";
import { checkPrefix, fullKey } from "../../prefix.ts";
import { versionOf } from "../../record/version.ts";
import { decodeValue } from "../coded.ts";
import type { Connection } from "../connection.ts";
import type { StoreContext } from "../context.ts";
import { closedError, toKvError } from "../failure.ts";
import { Hub } from "./hub.ts";
import { type Found, type Target, StoreWatcher, type WatcherOptions } from "./watcher.ts";

/** The most keys that one watch takes. */
const MOST_KEYS = 1000;

/** A watch that is open. */
export interface OpenWatch<T> {
  /** Resolves when every later change will be reported. */
  readonly ready: Promise<void>;
  /** The next change; `null` when the watch is over. */
  next(): Promise<T | null>;
  close(): void;
}

// A request of an edge worker must not wait for another one, which may end.
const isWorkers = (): boolean => globalThis.navigator?.userAgent === "Cloudflare-Workers";

/** The hubs of an edge worker, one for each watch. */
class WorkerHubs {
  readonly #hubs = new Set<Hub>();

  add(connection: Connection): Hub {
    const hub = new Hub(connection, () => void this.#hubs.delete(hub));
    this.#hubs.add(hub);
    return hub;
  }

  close(): void {
    for (const hub of this.#hubs) hub.close();
  }
}

function hubOf(connection: Connection): Hub {
  if (isWorkers()) {
    const hubs = connection.watches instanceof WorkerHubs ? connection.watches : new WorkerHubs();
    connection.watches = hubs;
    return hubs.add(connection);
  }
  if (connection.watches instanceof Hub) return connection.watches;
  const hub = new Hub(connection, () => (connection.watches = null));
  connection.watches = hub;
  return hub;
}

/** Watches full keys of a store's client: the changes come as records. */
export function watchRecords(
  { connection }: StoreContext,
  target: Target,
  options: WatcherOptions,
  signal?: AbortSignal,
): OpenWatch<Found> {
  if (connection.closing !== null) throw closedError(connection);
  const hub = hubOf(connection);
  const watcher = new StoreWatcher(target, options);
  const close = (): void => {
    signal?.removeEventListener("abort", close);
    hub.remove(watcher);
  };
  signal?.addEventListener("abort", close);
  const ready = hub.add(watcher);
  if (signal?.aborted) close();
  return { ready, next: () => watcher.next(), close };
}

/** The full keys or the full prefix that a caller asks for. */
function targetOf({ connection, prefix }: StoreContext, target: unknown): Target {
  const full = (key: unknown): string => fullKey(prefix, key, connection.source.supports.keyBytes);
  if (typeof target === "string") return { keys: [full(target)], prefix: null };
  if (Array.isArray(target)) {
    if (target.length > MOST_KEYS)
      throw new KvError(
        "KV_INVALID_VALUE",
        `watch() takes up to ${MOST_KEYS} keys, not ${target.length}: watch a prefix`,
      );
    return { keys: [...new Set(target.map(full))], prefix: null };
  }
  if (typeof target === "object" && target !== null && "prefix" in target) {
    checkOptions(target, ["prefix"], "the target of watch()");
    return { keys: [], prefix: prefix + checkPrefix(target.prefix) };
  }
  throw new KvError(
    "KV_INVALID_VALUE",
    'watch() takes a key, an array of keys or { prefix }: a whole store is { prefix: "" }',
  );
}

/** The watch behind `store.watch()`, once the code is loaded. */
interface Iteration {
  readonly ready: Promise<void>;
  next(): Promise<IteratorResult<WatchEvent<unknown>, void>>;
  close(): Promise<IteratorResult<WatchEvent<unknown>, void>>;
}

const OVER: IteratorResult<never, void> = { done: true, value: undefined };

/** The operation behind `store.watch()`. Never throws: the promises reject. */
export function watchStore(
  context: StoreContext,
  target: WatchTarget,
  options?: StoreWatchOptions,
): Iteration {
  try {
    return iterationOf(context, open(context, target, options));
  } catch (error) {
    const failed = Promise.reject(toKvError(error, context.connection.source.type, "watching"));
    failed.catch(() => {});
    return { ready: failed, next: () => failed, close: async () => OVER };
  }
}

function open(
  context: StoreContext,
  target: WatchTarget,
  options: StoreWatchOptions = {},
): OpenWatch<Found> {
  checkOptions(options, ["signal", "initial", "interval"], "watch()");
  const { signal, initial = false, interval = 1 } = options;
  return watchRecords(
    context,
    targetOf(context, target),
    {
      initial,
      interval: durationOf("interval", interval, MOST_INTERVAL),
      timeout: context.timeout,
    },
    signal,
  );
}

function iterationOf({ prefix, codec }: StoreContext, opened: OpenWatch<Found>): Iteration {
  const { ready, close } = opened;
  // The iteration rejects with the same error.
  ready.catch(() => {});
  // Calls of a consumer that does not wait are answered one after the other.
  let last: Promise<unknown> = ready;
  const take = async (): Promise<IteratorResult<WatchEvent<unknown>, void>> => {
    await ready;
    const found = await opened.next();
    if (found === null) return OVER;
    const { record } = found;
    const key = found.key.slice(prefix.length);
    const entry = record && {
      key,
      value: decodeValue(codec, record.value, found.key),
      version: versionOf(record),
      expires: record.expires,
      metadata: record.metadata,
    };
    return { done: false, value: { key, entry } };
  };
  return {
    ready,
    next() {
      const result = last.then(take, take);
      last = result.catch(() => {});
      return result;
    },
    async close() {
      close();
      return OVER;
    },
  };
}
