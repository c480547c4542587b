import type { MaybePromise } from "../../types.ts";
import type { Adapter, Feed, Subscription } from "../adapter.ts";
import { unref } from "../../platform/unref.ts";

/** How often a watching tab says that it watches, and for how long that counts, in milliseconds. */
const ANNOUNCED = 15_000;
const COUNTS = 90_000;

/** How often a watching tab compares its state: a tab that ends may not publish its write. */
const COMPARED = 30_000;

/** Messages of tabs: changed keys, that one watches, or the question whether one does. */
type Message = readonly string[] | "watching" | "who?";

/**
 * Publishes the writes of an adapter to the tabs with the same data, and receives theirs. Nothing
 * is sent while no tab watches.
 */
export function withTabs(adapter: Adapter, ...names: readonly string[]): Adapter {
  if (typeof BroadcastChannel !== "function") return adapter;
  const tabs = new Tabs(new BroadcastChannel(`anykv:${JSON.stringify(names)}`));
  const keysOf = (writes: readonly { readonly key: string }[]): string[] =>
    writes.map(({ key }) => key);
  const { setMany, commit } = adapter;
  return {
    ...adapter,
    set: (key, record) => tabs.publishing([key], () => adapter.set(key, record)),
    del: (key) => tabs.publishing([key], () => adapter.del(key)),
    ...(setMany && {
      setMany: (writes) => tabs.publishing(keysOf(writes), () => setMany(writes)),
    }),
    ...(commit && {
      commit: (checks, writes, now) =>
        tabs.publishing(keysOf(writes), () => commit(checks, writes, now)),
    }),
    watch: (feed) => tabs.watch(feed),
    async close() {
      tabs.close();
      await adapter.close?.();
    },
  };
}

/** The channel to the other tabs with the same data. */
class Tabs {
  readonly #channel: BroadcastChannel;
  readonly #feeds = new Set<Feed>();
  #watchedUntil = 0;

  constructor(channel: BroadcastChannel) {
    this.#channel = channel;
    unref(channel);
    channel.onmessage = ({ data }: MessageEvent<Message>) => this.#receive(data);
    // The answer comes before the first write is over, or with the next announcement.
    this.#send("who?");
  }

  #send(message: Message): void {
    this.#channel.postMessage(message);
  }

  #receive(message: Message): void {
    if (message === "watching") this.#watchedUntil = performance.now() + COUNTS;
    else if (message !== "who?") for (const feed of this.#feeds) feed.changed(message);
    else if (this.#feeds.size > 0) this.#send("watching");
  }

  /** Publishes keys once they are written. A write that failed may have been carried out. */
  publishing<T>(keys: readonly string[], work: () => MaybePromise<T>): MaybePromise<T> {
    const publish = (): void => {
      if (performance.now() < this.#watchedUntil && keys.length > 0) this.#send(keys);
    };
    const result = work();
    if (result instanceof Promise) result.then(publish, publish);
    else publish();
    return result;
  }

  watch(feed: Feed): Subscription {
    this.#feeds.add(feed);
    this.#send("watching");
    const timers = [
      setInterval(() => this.#send("watching"), ANNOUNCED),
      setInterval(() => feed.unknown(), COMPARED),
    ];
    for (const timer of timers) unref(timer);
    // A tab that was frozen has received nothing meanwhile.
    const shown = (): void => {
      this.#send("watching");
      feed.unknown();
    };
    globalThis.addEventListener?.("pageshow", shown);
    return {
      close: () => {
        this.#feeds.delete(feed);
        for (const timer of timers) clearInterval(timer);
        globalThis.removeEventListener?.("pageshow", shown);
      },
    };
  }

  close(): void {
    this.#channel.close();
  }
}
