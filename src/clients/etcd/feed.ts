import { hasMethods } from "../../platform/shape.ts";
import type { Coverage, Feed, Subscription } from "../adapter.ts";
import { polledFeed } from "../shared/polled-feed.ts";
import type { EtcdCalls, EtcdClient } from "./calls.ts";
import { type EtcdKeys, encodeText } from "./keys.ts";
import { unref } from "../../platform/unref.ts";

/** How often the server is asked for a sign of life, in milliseconds. */
const HEARTBEAT = 5000;

/** A watcher of etcd3. */
interface EtcdWatcher {
  on(name: string, listener: (event: never) => void): unknown;
  cancel(): Promise<void>;
}

interface WatchingClient extends EtcdClient {
  watch(): { prefix(prefix: Uint8Array): { create(): Promise<EtcdWatcher> } };
}

/**
 * Changes as etcd reports them, by one watcher for each prefix on one stream of the client. Writers
 * pay nothing. Expired leases are reported as deletions.
 */
export async function etcdFeed(
  client: EtcdClient,
  calls: EtcdCalls,
  keys: EtcdKeys,
  feed: Feed,
  prefixes: Coverage,
): Promise<Subscription> {
  if (!hasMethods(client, "watch")) return polledFeed(feed);
  const opened = new EtcdFeed(client as WatchingClient, feed);
  await opened.cover(prefixes);
  opened.beat(() => calls.call("range", { key: keys.bytes("\0") }));
  return opened;
}

class EtcdFeed implements Subscription {
  readonly #client: WatchingClient;
  readonly #feed: Feed;
  readonly #watchers = new Map<string, EtcdWatcher>();
  #timer: ReturnType<typeof setInterval> | undefined;
  #isOver = false;

  constructor(client: WatchingClient, feed: Feed) {
    this.#client = client;
    this.#feed = feed;
  }

  async cover(prefixes: Coverage): Promise<void> {
    const missing = prefixes.filter(
      (prefix) => ![...this.#watchers.keys()].some((covered) => prefix.startsWith(covered)),
    );
    await Promise.all(missing.map((prefix) => this.#watch(prefix)));
  }

  /** A connection that the network has dropped shows no end. */
  beat(ping: () => Promise<unknown>): void {
    this.#timer = setInterval(() => void ping().catch((error) => this.#lose(error)), HEARTBEAT);
    unref(this.#timer);
  }

  async #watch(prefix: string): Promise<void> {
    const watcher = await this.#client.watch().prefix(bufferOf(prefix)).create();
    const changed = ({ key }: { readonly key: Uint8Array }): void =>
      this.#feed.changed([new TextDecoder("utf-8", { ignoreBOM: true }).decode(key)]);
    watcher.on("put", changed);
    watcher.on("delete", changed);
    for (const name of ["disconnected", "error", "end"])
      watcher.on(name, (error: unknown) => this.#lose(error));
    this.#watchers.set(prefix, watcher);
    if (this.#isOver) void this.#cancel(watcher);
  }

  close(): void {
    this.#isOver = true;
    clearInterval(this.#timer);
    for (const watcher of this.#watchers.values()) void this.#cancel(watcher);
  }

  async #cancel(watcher: EtcdWatcher): Promise<void> {
    try {
      await watcher.cancel();
    } catch {
      // The stream of the watcher has ended, or the client was closed.
    }
  }

  #lose(error: unknown): void {
    if (this.#isOver) return;
    this.close();
    this.#feed.lost(error);
  }
}

// The client asks for Buffers, and only Node has it.
const bufferOf = (text: string): Uint8Array => Buffer.from(encodeText(text));
