import type { LinkState } from "./link.ts";
import {
  changing,
  leave,
  linkOf,
  PING,
  type RedisClient,
  type RedisCommand,
  type RedisNode,
  type RedisWire,
  wireOver,
} from "./wire.ts";

/** A client or cluster of ioredis. */
export interface IoRedis extends RedisClient {
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

export function ioredisWire(client: IoRedis): RedisWire {
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
  /** The client would send unanswered commands again. Without a strategy it does not reconnect. */
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
  // Names in capitals: the client transforms replies, and reads from replicas, for small letters.
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
    // The client waits for the server to close the connection, which a silent server never does.
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
  return wireOver(
    link,
    (_key, command) => call(client, command),
    rest,
    () => client.connectionEpoch,
  );
}
