import { within } from "../../concurrency/timeout.ts";
import { listenTo } from "../../platform/error-listener.ts";
import { hasMethods } from "../../platform/shape.ts";
import type { MaybePromise } from "../../types.ts";
import type { Coverage, Feed, Subscription } from "../adapter.ts";
import { polledFeed } from "../shared/polled-feed.ts";
import { isReserved } from "./reserved.ts";
import type { RedisClient } from "./wire.ts";
import { unref } from "../../platform/unref.ts";

/** The channel on which Redis names keys that have changed, to a connection that tracks them. */
const INVALIDATED = "__redis__:invalidate";

/** How often a silent connection is asked for an answer, and for how long, in milliseconds. */
const HEARTBEAT = 5000;

/** How often a cluster is asked for its masters, in milliseconds. */
const TOPOLOGY = 10_000;

/** A connection of its own to one server, of node-redis or of ioredis. */
interface Listener {
  connect(): Promise<unknown>;
  send(command: readonly string[]): Promise<unknown>;
  /** Receives keys as the server has them; `null` when all of them may have changed. */
  subscribe(invalidated: (keys: string[] | null) => void): Promise<unknown>;
  ping(): Promise<unknown>;
  end(): unknown;
}

/** The methods of a connection in both libraries. */
interface Connectable extends RedisClient {
  on(name: string, listener: (...args: never[]) => void): unknown;
  duplicate(options: object): Connectable;
  ping(): Promise<unknown>;
  disconnect(): unknown;
}

interface NodeRedisConnection extends Connectable {
  readonly options?: { readonly socket?: object };
  sendCommand(command: readonly string[]): Promise<unknown>;
  subscribe(
    channel: string,
    listener: (keys: string[] | null) => void,
    isRaw?: false,
  ): Promise<unknown>;
  unref?(): void;
  destroy?(): unknown;
}

interface IoRedisConnection extends Connectable {
  readonly stream?: { unref?(): void; destroy(): unknown } | null;
  call(name: string, args: readonly string[]): Promise<unknown>;
  subscribe(channel: string): Promise<unknown>;
}

const isCluster = (client: object): boolean =>
  (client as { isCluster?: boolean }).isCluster === true || hasMethods(client, "nodeClient");

/** The clients of any kind that have a connection to each server that holds keys. */
async function connections(client: object): Promise<readonly Connectable[]> {
  const any = client as {
    readonly isCluster?: boolean;
    readonly masters?: readonly object[];
    nodes(role: "master"): Connectable[];
    nodeClient(master: object): MaybePromise<Connectable>;
    execute(task: (one: Connectable) => Promise<Connectable>): Promise<Connectable>;
    _execute(
      isReadonly: false,
      task: (one: Connectable) => Promise<Connectable>,
    ): Promise<Connectable>;
  };
  const self = async (one: Connectable): Promise<Connectable> => one;
  if (any.isCluster === true) return any.nodes("master");
  if (hasMethods(client, "nodeClient"))
    return Promise.all(any.masters!.map((master) => any.nodeClient(master)));
  if (hasMethods(client, "getSentinelNode", "_execute")) return [await any._execute(false, self)];
  if (hasMethods(client, "execute") && "clientsInUse" in client) return [await any.execute(self)];
  return [client as Connectable];
}

/** A connection beside the client's own, which does not connect again by itself. */
function listenerBeside(client: Connectable, lost: () => void): Listener {
  return hasMethods(client, "call")
    ? besideIoRedis(client as IoRedisConnection, lost)
    : besideNodeRedis(client as NodeRedisConnection, lost);
}

function besideNodeRedis(client: NodeRedisConnection, lost: () => void): Listener {
  const connection = client.duplicate({
    RESP: 2,
    // Options that need RESP3, or make another kind of client.
    maintNotifications: "disabled",
    clientSideCache: undefined,
    emitInvalidate: false,
    legacyMode: false,
    disableOfflineQueue: true,
    socket: { ...client.options?.socket, reconnectStrategy: false },
  }) as NodeRedisConnection;
  listenTo(connection);
  for (const name of ["error", "end"]) connection.on(name, lost);
  return {
    async connect() {
      await connection.connect();
      unref(connection);
    },
    send: (command) => connection.sendCommand(command),
    subscribe: (invalidated) => connection.subscribe(INVALIDATED, invalidated),
    ping: () => connection.ping(),
    end: () => (connection.destroy === undefined ? connection.disconnect() : connection.destroy()),
  };
}

function besideIoRedis(client: IoRedisConnection, lost: () => void): Listener {
  const connection = client.duplicate({
    lazyConnect: true,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    keyPrefix: "",
    protocol: 2,
    replyMapping: undefined,
    retryStrategy: () => null,
    reconnectOnError: null,
  }) as IoRedisConnection;
  listenTo(connection);
  for (const name of ["error", "end"]) connection.on(name, lost);
  return {
    async connect() {
      await connection.connect();
      unref(connection.stream);
    },
    send: ([name, ...args]) => connection.call(name!, args),
    subscribe(invalidated) {
      // The keys are a list, which the event "message" makes one text of.
      connection.on("messageBuffer", (_channel: never, keys: readonly Uint8Array[] | null) =>
        invalidated(keys && keys.map((key) => String(key))),
      );
      return connection.subscribe(INVALIDATED);
    },
    ping: () => connection.ping(),
    end() {
      connection.disconnect();
      connection.stream?.destroy();
    },
  };
}

/** One connection that reports the keys that change under some prefixes. */
async function track(
  client: Connectable,
  prefixes: Coverage,
  invalidated: (keys: string[] | null) => void,
  lost: () => void,
): Promise<Listener> {
  const listener = listenerBeside(client, lost);
  try {
    await listener.connect();
    const id = String(await listener.send(["CLIENT", "ID"]));
    const covered = prefixes.includes("") ? [] : prefixes.flatMap((each) => ["PREFIX", each]);
    // With the protocol of Redis 5 the messages go to a connection that subscribes: to this one.
    await listener.send(["CLIENT", "TRACKING", "ON", "REDIRECT", id, "BCAST", ...covered]);
    await listener.subscribe(invalidated);
    return listener;
  } catch (error) {
    listener.end();
    throw error;
  }
}

const isRefused = (error: unknown): boolean =>
  /unknown|not allowed|no permission|noperm|unsupported|ERR /i.test(
    String((error as Partial<Error> | null)?.message),
  );

/**
 * Changes of keys by client tracking (Redis 6 or later), on a connection of its own to each server
 * that holds keys. The servers need no configuration. Writers pay one message for each connection
 * that tracks a prefix of the key. Deadlines and evictions are reported too.
 */
export async function redisFeed(
  client: RedisClient,
  prefix: string,
  feed: Feed,
  prefixes: Coverage,
): Promise<Subscription> {
  try {
    return await RedisFeed.open(client, prefix, feed, prefixes);
  } catch (error) {
    // Proxies and older servers do not know the command.
    if (isRefused(error)) return polledFeed(feed);
    throw error;
  }
}

class RedisFeed implements Subscription {
  readonly #client: RedisClient;
  readonly #prefix: string;
  readonly #feed: Feed;
  #covered: Coverage = [];
  #sources: readonly Connectable[] = [];
  #listeners: Listener[] = [];
  #timers: ReturnType<typeof setInterval>[] = [];
  #isOver = false;

  private constructor(client: RedisClient, prefix: string, feed: Feed) {
    this.#client = client;
    this.#prefix = prefix;
    this.#feed = feed;
  }

  static async open(
    client: RedisClient,
    prefix: string,
    feed: Feed,
    prefixes: Coverage,
  ): Promise<RedisFeed> {
    const opened = new RedisFeed(client, prefix, feed);
    await opened.#track(prefixes);
    opened.#every(HEARTBEAT, () => opened.#ping());
    if (isCluster(client)) opened.#every(TOPOLOGY, () => opened.#compareSources());
    return opened;
  }

  async cover(prefixes: Coverage): Promise<void> {
    const isCovered = (prefix: string): boolean =>
      this.#covered.some((covered) => prefix.startsWith(covered));
    if (prefixes.every(isCovered)) return;
    const before = this.#listeners;
    await this.#track(prefixes);
    for (const listener of before) listener.end();
  }

  close(): void {
    this.#isOver = true;
    for (const timer of this.#timers) clearInterval(timer);
    for (const listener of this.#listeners) listener.end();
  }

  async #track(prefixes: Coverage): Promise<void> {
    const covered = prefixes.map((each) => this.#prefix + each);
    this.#sources = await connections(this.#client);
    const tracked: Listener[] = [];
    const lost = (): void => {
      // The end of a connection that another one has replaced is none of the feed.
      if (this.#listeners === tracked) this.#lose(new Error("the connection was lost"));
    };
    await Promise.all(
      this.#sources.map(async (source) =>
        tracked.push(await track(source, covered, (keys) => this.#invalidated(keys), lost)),
      ),
    ).catch((error) => {
      for (const listener of tracked) listener.end();
      throw error;
    });
    this.#listeners = tracked;
    this.#covered = prefixes;
  }

  #invalidated(keys: string[] | null): void {
    if (keys === null) this.#feed.unknown();
    else {
      const changed = keys.map((key) => key.slice(this.#prefix.length));
      // An index changes with each key.
      this.#feed.changed(changed.filter((key) => !isReserved(key)));
    }
  }

  #every(ms: number, work: () => Promise<void>): void {
    const timer = setInterval(() => void work().catch((error) => this.#lose(error)), ms);
    unref(timer);
    this.#timers.push(timer);
  }

  /** A connection that the network has dropped shows no end. */
  async #ping(): Promise<void> {
    await Promise.all(this.#listeners.map((listener) => within(listener.ping(), HEARTBEAT)));
  }

  /** A master that joined the cluster is not tracked yet. */
  async #compareSources(): Promise<void> {
    const sources = await connections(this.#client);
    const isSame =
      sources.length === this.#sources.length &&
      sources.every((source) => this.#sources.includes(source));
    if (!isSame) this.#lose(new Error("the servers of the cluster have changed"));
  }

  #lose(error: unknown): void {
    if (this.#isOver) return;
    this.close();
    this.#feed.lost(error);
  }
}
