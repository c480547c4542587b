import { KvError } from "../../errors.ts";
import { listenTo } from "../../platform/error-listener.ts";
import { within } from "../../concurrency/timeout.ts";
import { PoolMembers } from "./pool-members.ts";
import { Link, type LinkedClient, type LinkState } from "./link.ts";

/**
 * The part of a client that every kind has: node-redis clients, pools, clusters and sentinels, and
 * clients and clusters of ioredis.
 */
export interface RedisClient {
  get(...args: never[]): unknown;
  set(...args: never[]): unknown;
  sendCommand(...args: never[]): unknown;
  connect(...args: never[]): Promise<unknown>;
}

/** A command as Redis gets it: its name and its arguments. */
export type RedisCommand = readonly [name: string, ...args: string[]];

/** One server that holds keys. */
export interface RedisNode {
  send(command: RedisCommand): Promise<unknown>;
  /** Another one as soon as the server may be another one, or have started anew. */
  epoch(): unknown;
}

/** What the adapter asks of a client, the same for every kind. */
export interface RedisWire {
  readonly isCluster: boolean;
  /** Whether all commands go through one connection, one behind the other. */
  readonly isInOrder: boolean;
  /**
   * What the client puts in front of every key by itself (`keyPrefix`): keys stand so on the
   * server.
   */
  readonly prefix: string;
  /**
   * What has to be put in front of the keys of a command so that they stand there: nothing where
   * the client does so for raw commands too.
   */
  readonly before: string;
  /** Sends one command; the key says where to, on a cluster. */
  send(key: string, command: RedisCommand): Promise<unknown>;
  /** Sends several commands without waiting in between. */
  sendAll(commands: readonly (readonly [key: string, command: RedisCommand])[]): Promise<unknown[]>;
  /** Every server that holds keys. */
  nodes(): Promise<readonly RedisNode[]>;
  /**
   * From here on: whether the client may have lost the answer to a command that it has sent, and
   * sent it again. The answer to the second one then does not tell what became of the first one.
   */
  watch(): Promise<() => boolean>;
  close(): Promise<void>;
  /**
   * Replaces the connection: several requests in a row got no answer. What is under way rejects,
   * and is not sent again.
   */
  replace?(): void;
}

interface Options {
  readonly typeMapping: object;
  readonly timeout?: number;
}

type Send = (command: RedisCommand, options: Options) => Promise<unknown>;

/**
 * What all clients of node-redis have. Those of version 4 have `disconnect`, later ones `destroy`.
 */
interface NodeRedis extends RedisClient {
  readonly isOpen: boolean;
  readonly isReady?: boolean;
  readonly _keyPrefix?: string;
  destroy?(): unknown;
  disconnect(): unknown;
}

/** A client of node-redis with one connection. */
interface NodeRedisClient extends NodeRedis {
  readonly options?: { readonly legacyMode?: boolean };
  readonly v4: { sendCommand: Send };
  readonly socketEpoch?: number;
  sendCommand: Send;
}

interface NodeRedisPool extends NodeRedis {
  readonly clientsInUse: number;
  readonly idleClients: number;
  /** Set while it means to let go of connections that it no longer needs. */
  readonly _self: { readonly cleanupTimeout?: ReturnType<typeof setTimeout> };
  sendCommand: Send;
  execute<T>(task: (client: NodeRedisClient) => Promise<T>): Promise<T>;
}

interface NodeRedisCluster extends NodeRedis {
  readonly masters: readonly { client?: NodeRedisClient | Promise<NodeRedisClient> }[];
  nodeClient(node: object): NodeRedisClient | Promise<NodeRedisClient>;
  sendCommand(
    key: string,
    isReadonly: false,
    command: RedisCommand,
    options: Options,
  ): Promise<unknown>;
}

interface NodeRedisSentinel extends NodeRedis {
  getMasterNode(): unknown;
  sendCommand(isReadonly: false, command: RedisCommand, options: Options): Promise<unknown>;
  /** What every command of its goes through: calls the work once for each time that it sends it. */
  _execute?(
    isReadonly: false,
    work: (master: NodeRedisClient) => Promise<unknown>,
  ): Promise<unknown>;
}

interface IoRedis extends RedisClient {
  readonly isCluster?: boolean;
  readonly status: string;
  readonly connectionEpoch: number;
  readonly options: {
    readonly keyPrefix?: unknown;
    readonly retryStrategy?: unknown;
    readonly clusterRetryStrategy?: unknown;
  };
  flushQueue?(error: Error, options: { offlineQueue: boolean }): void;
  readonly stream?: { destroy(): unknown } | null;
  nodes(role: "master" | "all"): IoRedis[];
  call(name: string, args: string[]): Promise<unknown>;
  disconnect(): void;
}

/** Replies as strings and numbers, whatever types the client was told to make of them. */
const PLAIN: Options = { typeMapping: {} };
/** The same without a timer for each command, for clients that are waited for before. */
const TIMELESS: Options = { typeMapping: {}, timeout: 0 };

/** How long a client may take to finish what it has begun before it is cut off, in milliseconds. */
const FAREWELL = 150;

// All stores over one client share what is known of it, and the one listener.
const links = new WeakMap<object, Link>();

function linkOf(client: object, linked: LinkedClient): Link {
  // Proxies such as `client.withTypeMapping()` are the same client.
  const self = (client as { _self?: object })._self ?? client;
  const link = links.get(self) ?? new Link(linked, listenTo(self));
  links.set(self, link);
  link.begin();
  return link;
}

const has = (client: object, method: string): boolean =>
  typeof (client as { [name: string]: unknown })[method] === "function";

/**
 * The wire of a client of any kind.
 *
 * @throws {KvError} KV_INVALID_CLIENT for something that takes commands and is no client: what
 * `legacy()` of node-redis gives, a pipeline.
 */
export function wireOf(client: RedisClient): RedisWire {
  const { isOpen, status } = client as Partial<NodeRedis & IoRedis>;
  if (typeof isOpen !== "boolean" && typeof status !== "string")
    throw new KvError(
      "KV_INVALID_CLIENT",
      "this is a face of a Redis client: pass the client itself",
    );
  // Told by what only that kind has, so that copies and versions of a library do not matter.
  if (has(client, "call")) return ioredisWire(client as IoRedis);
  if (has(client, "nodeClient")) return clusterWire(client as NodeRedisCluster);
  if (has(client, "getSentinelNode")) return sentinelWire(client as NodeRedisSentinel);
  if (has(client, "execute")) return poolWire(client as NodeRedisPool);
  return clientWire(client as NodeRedisClient);
}

/**
 * Waits for what has been sent to be answered (which PING is after it), but not for ever, and cuts
 * the connection. Not by the graceful ways of the clients: those wait for ever for a server that is
 * silent, and whoever cuts them off there gets its answers later, as exceptions that nobody can
 * catch.
 */
async function leave(ping: (() => Promise<unknown>) | false, end: () => unknown): Promise<void> {
  for (const step of [ping, end]) {
    try {
      if (step !== false) await within(Promise.resolve(step()), FAREWELL);
    } catch {
      // The server is gone or silent, or the client is closed already.
    }
  }
}

const PING: RedisCommand = ["PING"];

const cutNodeRedis = (client: NodeRedis): unknown =>
  client.destroy === undefined ? client.disconnect() : client.destroy();

/** Makes another connection of it. What is under way rejects. */
async function restartNodeRedis(client: NodeRedis): Promise<void> {
  await cutNodeRedis(client);
  await client.connect();
}

const leaveNodeRedis = (client: NodeRedis, ping: (() => Promise<unknown>) | false): Promise<void> =>
  leave(ping, () => cutNodeRedis(client));

const nodeRedisState = (client: NodeRedis): LinkState =>
  !client.isOpen ? "closed" : client.isReady === false ? "down" : "ready";

const linkNodeRedis = (
  client: NodeRedis,
  failsAtOnce: boolean,
  own: Partial<LinkedClient> = {},
): Link =>
  linkOf(client, {
    state: () => nodeRedisState(client),
    connect: () => client.connect(),
    failsAtOnce,
    ...own,
  });

type Sender = (key: string, command: RedisCommand) => Promise<unknown>;

/** A wire whose commands wait for the link. */
function wire(
  link: Link,
  send: Sender,
  rest: Pick<RedisWire, "prefix" | "before" | "close"> & Partial<RedisWire>,
  epoch: () => unknown,
): RedisWire {
  const linked = <T>(work: () => Promise<T>): Promise<T> => link.wait()?.then(work) ?? work();
  const sendAll =
    rest.sendAll ??
    ((commands) => Promise.all(commands.map(([key, command]) => send(key, command))));
  // Clients of node-redis send nothing again but what was answered with where else to go.
  const watch = rest.watch ?? (async () => () => false);
  const nodes = rest.nodes ?? (async () => [{ send: (command) => send("", command), epoch }]);
  return {
    isCluster: false,
    isInOrder: false,
    ...rest,
    send: (key, command) => linked(() => send(key, command)),
    sendAll: (commands) => linked(() => sendAll(commands)),
    nodes: () => linked(nodes),
    watch: () => linked(watch),
    close: () => link.close(rest.close),
  };
}

// node-redis: the prefix is put only in front of the keys of commands that it knows.
const prefixed = (client: NodeRedis): { prefix: string; before: string } => {
  const prefix = client._keyPrefix ?? "";
  return { prefix, before: prefix };
};

function clientWire(client: NodeRedisClient): RedisWire {
  const link = linkNodeRedis(client, true, { stop: () => cutNodeRedis(client) });
  // The legacy mode of version 4 takes callbacks.
  const { sendCommand } =
    client.options?.legacyMode === true
      ? client.v4
      : { sendCommand: client.sendCommand.bind(client) };
  const send = (command: RedisCommand): Promise<unknown> => sendCommand(command, TIMELESS);
  const close = (): Promise<void> =>
    leaveNodeRedis(client, client.isReady === true && (() => send(PING)));
  return wire(
    link,
    (_key, command) => send(command),
    { ...prefixed(client), close, isInOrder: true, replace: () => void link.replace() },
    () => link.errors,
  );
}

/**
 * Connections that were cut off come back to their pool when they notice. It then means to let go
 * of them a second time, which in version 5 throws where nobody can catch it: a pool that is closed
 * has nothing to let go of.
 */
function forgetCleanup(client: NodeRedisPool): void {
  let timer = client._self.cleanupTimeout;
  clearTimeout(timer);
  const set = (next: typeof timer): void => {
    timer = next;
    if (!client.isOpen) clearTimeout(next);
  };
  Object.defineProperty(client._self, "cleanupTimeout", {
    configurable: true,
    enumerable: true,
    get: () => timer,
    set,
  });
}

function poolWire(client: NodeRedisPool): RedisWire {
  // It does not say whether it is ready: it tries for ever before it has its first connection.
  let isConnecting = false;
  const link = linkNodeRedis(client, true, {
    state: () => (isConnecting ? "down" : nodeRedisState(client)),
    connect() {
      isConnecting = true;
      return client.connect().finally(() => (isConnecting = false));
    },
  });
  async function idle(): Promise<void> {
    for (
      const end = performance.now() + FAREWELL;
      client.clientsInUse > 0 && performance.now() < end;
    )
      await new Promise((resolve) => setTimeout(resolve, 10));
  }
  async function close(): Promise<void> {
    await leaveNodeRedis(client, !isConnecting && idle);
    forgetCleanup(client);
  }
  const members = new PoolMembers(client, restartNodeRedis);
  // One of its connections, not one for each command.
  const sendAll: RedisWire["sendAll"] = (commands) =>
    members.use((one) =>
      Promise.all(commands.map(([, command]) => one.sendCommand(command, PLAIN))),
    );
  const replace = (): void => {
    link.errors++;
    members.replace();
  };
  return wire(
    link,
    (_key, command) => members.use((one) => one.sendCommand(command, PLAIN)),
    { ...prefixed(client), close, sendAll, replace },
    () => link.errors,
  );
}

function sentinelWire(client: NodeRedisSentinel): RedisWire {
  const link = linkNodeRedis(client, false);
  function send(command: RedisCommand): Promise<unknown> {
    if (client._execute === undefined) return client.sendCommand(false, command, PLAIN);
    let isLost = false;
    return client._execute(false, (master) => {
      if (isLost) link.resent++;
      return master.sendCommand(command, PLAIN).catch((error) => {
        // What is read-only has answered, and done nothing.
        isLost ||= !String((error as Partial<Error> | null)?.message).startsWith("READONLY");
        throw error;
      });
    });
  }
  const close = (): Promise<void> =>
    leaveNodeRedis(client, client.isReady === true && (() => send(PING)));
  const watch = async (): Promise<() => boolean> => changing(() => link.resent + link.errors);
  return wire(
    link,
    (_key, command) => send(command),
    { ...prefixed(client), close, watch },
    () => JSON.stringify(client.getMasterNode()),
  );
}

function clusterWire(client: NodeRedisCluster): RedisWire {
  // Version 4 does not say whether it is ready: it has found its nodes, or not yet.
  const link = linkNodeRedis(client, false, {
    state: () => (client.isOpen && client.masters.length === 0 ? "down" : nodeRedisState(client)),
  });
  const nodes = (): Promise<RedisNode[]> =>
    Promise.all(
      client.masters.map(async (master) => {
        const node = await client.nodeClient(master);
        return {
          send: (command) => node.sendCommand(command, PLAIN),
          epoch: () => node.socketEpoch ?? link.errors,
        };
      }),
    );
  const ping = (): Promise<unknown> =>
    Promise.all(
      client.masters.map(async (master) => (await master.client)?.sendCommand(PING, PLAIN)),
    );
  const close = (): Promise<void> => leaveNodeRedis(client, client.isOpen && ping);
  async function replaceOne(master: NodeRedisCluster["masters"][number]): Promise<void> {
    const node = await master.client;
    if (node?.isReady === true) await restartNodeRedis(node);
  }
  function replace(): void {
    link.errors++;
    // The cluster tells of failures by its event.
    for (const master of client.masters) replaceOne(master).catch(() => undefined);
  }
  return wire(
    link,
    (key, command) => client.sendCommand(key, false, command, PLAIN),
    { ...prefixed(client), isCluster: true, close, nodes, replace },
    () => null,
  );
}

/** Whether a number changes. */
function changing(read: () => number): () => boolean {
  const before = read();
  return () => read() !== before;
}

/**
 * Whether a cluster loses a connection to one of its nodes. It connects to each when it needs it
 * first, and makes another node of one that it has lost.
 */
function losing(cluster: IoRedis): () => boolean {
  const epochs = (): Map<IoRedis, number> =>
    new Map(cluster.nodes("all").map((node) => [node, node.connectionEpoch]));
  const before = epochs();
  return () => {
    const after = epochs();
    const isKept = ([node, epoch]: [IoRedis, number]): boolean =>
      after.has(node) && after.get(node)! <= Math.max(1, epoch);
    return (
      ![...before].every(isKept) ||
      [...after].some(([node, epoch]) => epoch > 0 && !before.has(node))
    );
  };
}

function ioredisWire(client: IoRedis): RedisWire {
  const isCluster = client.isCluster === true;
  const states: { readonly [status: string]: LinkState } = {
    ready: "ready",
    wait: "closed",
    end: "closed",
  };
  const link = linkOf(client, {
    state: () => states[client.status] ?? "down",
    connect: () => client.connect(),
    failsAtOnce: true,
    restart,
  });
  /** It would send again what was not answered, and does not connect again without a strategy. */
  function restart(): void {
    const { retryStrategy, clusterRetryStrategy } = client.options;
    if (typeof (isCluster ? clusterRetryStrategy : retryStrategy) !== "function") return;
    const error = new Error("several commands in a row were not answered");
    for (const node of isCluster ? client.nodes("all") : [client]) {
      if (node.flushQueue === undefined) continue;
      node.flushQueue(error, { offlineQueue: false });
      node.stream?.destroy();
    }
  }
  // Names in capitals: its own transformers of replies, and its reading from replicas, go by small
  // letters.
  const call = (node: IoRedis, [name, ...args]: RedisCommand): Promise<unknown> =>
    node.call(name, args);
  const nodes = async (): Promise<RedisNode[]> =>
    client.nodes("master").map((node) => ({
      send: (command) => call(node, command),
      epoch: () => node.connectionEpoch,
    }));
  const ping = (): Promise<unknown> =>
    Promise.all((isCluster ? client.nodes("master") : [client]).map((node) => call(node, PING)));
  function end(): void {
    const connected = isCluster ? client.nodes("all") : [client];
    client.disconnect();
    // It waits for the server to hang up as well, and one that is silent does not.
    for (const { stream } of connected) stream?.destroy();
  }
  const rest = {
    prefix: String(client.options.keyPrefix ?? ""),
    before: "",
    isCluster,
    isInOrder: !isCluster,
    watch: async () => (isCluster ? losing(client) : changing(() => client.connectionEpoch)),
    close: () => leave(client.status === "ready" && ping, end),
    replace: () => void link.replace(),
    ...(isCluster && { nodes }),
  };
  return wire(
    link,
    (_key, command) => call(client, command),
    rest,
    () => client.connectionEpoch,
  );
}
