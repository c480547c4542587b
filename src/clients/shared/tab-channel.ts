import type { MaybePromise } from "../../types.ts";
import type { Adapter, Feed, Subscription } from "../adapter.ts";

/** How often a watching tab says that it watches, and for how long that counts, in milliseconds. */
const ANNOUNCED = 15_000;
const COUNTS = 90_000;

/** How often a watching tab compares what it knows: a tab that ends may not publish its write. */
const COMPARED = 30_000;

/** What tabs send each other: changed keys, that one watches, or the question whether one does. */
type Message = readonly string[] | "watching" | "who?";

/**
 * Publishes the writes of an adapter to the tabs with the same data, and receives theirs. Nothing
 * is sent while no tab watches.
 */
export function withTabs(adapter: Adapter, ...names: readonly string[]): Adapter {
  if (typeof BroadcastChannel !== "function") return adapter;
  const channel = new BroadcastChannel(`anykv:${JSON.stringify(names)}`);
  (channel as { unref?: () => void }).unref?.();
  const feeds = new Set<Feed>();
  let watchedUntil = 0;
  const send = (message: Message): void => channel.postMessage(message);
  channel.onmessage = ({ data }: MessageEvent<Message>) => {
    if (data === "watching") watchedUntil = performance.now() + COUNTS;
    else if (data === "who?") {
      if (feeds.size > 0) send("watching");
    } else for (const feed of feeds) feed.changed(data);
  };
  // The answer comes before the first write is over, or its tab is told by the next announcement.
  send("who?");

  /** Publishes keys once they are written. A write that failed may have been carried out. */
  function publishing<T>(keys: readonly string[], work: () => MaybePromise<T>): MaybePromise<T> {
    const publish = (): void => {
      if (performance.now() < watchedUntil && keys.length > 0) send(keys);
    };
    const result = work();
    if (result instanceof Promise) result.then(publish, publish);
    else publish();
    return result;
  }
  const { setMany, commit } = adapter;

  return {
    ...adapter,
    set: (key, record) => publishing([key], () => adapter.set(key, record)),
    del: (key) => publishing([key], () => adapter.del(key)),
    setMany: setMany && ((writes) => publishing(keysOf(writes), () => setMany(writes))),
    commit:
      commit &&
      ((checks, writes, now) => publishing(keysOf(writes), () => commit(checks, writes, now))),
    watch(feed): Subscription {
      feeds.add(feed);
      send("watching");
      const timers = [
        setInterval(() => send("watching"), ANNOUNCED),
        setInterval(() => feed.unknown(), COMPARED),
      ];
      for (const timer of timers) (timer as { unref?: () => void }).unref?.();
      // A tab that was frozen has received nothing meanwhile.
      const shown = (): void => {
        send("watching");
        feed.unknown();
      };
      globalThis.addEventListener?.("pageshow", shown);
      return {
        close() {
          feeds.delete(feed);
          for (const timer of timers) clearInterval(timer);
          globalThis.removeEventListener?.("pageshow", shown);
        },
      };
    },
    async close() {
      channel.close();
      await adapter.close?.();
    },
  };
}

const keysOf = (writes: readonly { readonly key: string }[]): string[] =>
  writes.map(({ key }) => key);
