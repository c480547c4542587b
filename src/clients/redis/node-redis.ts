import { PoolMembers } from "./pool-members.ts";
import { restart } from "./restart.ts";
import type { Link, LinkedClient, LinkState } from "./link.ts";
import {
  changing,
  FAREWELL,
  leave,
  linkOf,
  PING,
  type RedisClient,
  type RedisCommand,
  type RedisNode,
  type RedisWire,
  wireOver,
} from "./wire.ts";

interface Options {
  readonly typeMapping: object;
  readonly timeout?: number;
}

type Send = (command: RedisCommand, options: Options) => Promise<unknown>;

/** The members of all clients of node-redis. Version 4 has `disconnect`, later ones `destroy`. */
export interface NodeRedis extends RedisClient {
  readonly isOpen: boolean;
  readonly isReady?: boolean;
  readonly _keyPrefix?: string;
  destroy?(): unknown;
  disconnect(): unknown;
}

/** A client of node-redis with one connection. */
export interface NodeRedisClient extends NodeRedis {
  readonly options?: { readonly legacyMode?: boolean };
  readonly v4: { sendCommand: Send };
  readonly socketEpoch?: number;
  sendCommand: Send;
}

export interface NodeRedisPool extends NodeRedis {
  readonly clientsInUse: number;
  readonly idleClients: number;
  /** Set while it means to let go of connections that it no longer needs. */
  readonly _self: { readonly cleanupTimeout?: ReturnType<typeof setTimeout> };
  sendCommand: Send;
  execute<T>(task: (client: NodeRedisClient) => Promise<T>): Promise<T>;
}

export interface NodeRedisCluster extends NodeRedis {
  readonly masters: readonly { client?: NodeRedisClient | Promise<NodeRedisClient> }[];
  nodeClient(node: object): NodeRedisClient | Promise<NodeRedisClient>;
  sendCommand(
    key: string,
    isReadonly: false,
    command: RedisCommand,
    options: Options,
  ): Promise<unknown>;
}

export interface NodeRedisSentinel extends NodeRedis {
  getMasterNode(): unknown;
  sendCommand(isReadonly: false, command: RedisCommand, options: Options): Promise<unknown>;
  /** Sends a command: calls the work once for each time that the command is sent. */
  _execute?(
    isReadonly: false,
    work: (master: NodeRedisClient) => Promise<unknown>,
  ): Promise<unknown>;
}

/** Replies as strings and numbers, whatever types the client was told to make of them. */
const PLAIN: Options = { typeMapping: {} };
/** The same without a timer for each command, for clients that are waited for before. */
const TIMELESS: Options = { typeMapping: {}, timeout: 0 };

const cutNodeRedis = (client: NodeRedis): unknown =>
  client.destroy === undefined ? client.disconnect() : client.destroy();

const restartNodeRedis = (client: NodeRedis): Promise<void> => restart(client, cutNodeRedis);

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

// node-redis: the prefix is put only in front of the keys of commands that it knows.
const prefixed = (client: NodeRedis): { prefix: string; before: string } => {
  const prefix = client._keyPrefix ?? "";
  return { prefix, before: prefix };
};

export function clientWire(client: NodeRedisClient): RedisWire {
  const link = linkNodeRedis(client, true, { stop: () => cutNodeRedis(client) });
  // The legacy mode of version 4 takes callbacks.
  const { sendCommand } =
    client.options?.legacyMode === true
      ? client.v4
      : { sendCommand: client.sendCommand.bind(client) };
  const send = (command: RedisCommand): Promise<unknown> => sendCommand(command, TIMELESS);
  const close = (): Promise<void> =>
    leaveNodeRedis(client, client.isReady === true && (() => send(PING)));
  return wireOver(
    link,
    (_key, command) => send(command),
    { ...prefixed(client), close, isInOrder: true, replace: () => void link.replace() },
    () => link.errors,
  );
}

/**
 * Connections that were cut off come back to their pool when they notice. The pool then releases
 * them a second time, which in version 5 throws an error that cannot be caught: a closed pool has
 * nothing to release.
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

export function poolWire(client: NodeRedisPool): RedisWire {
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
  return wireOver(
    link,
    (_key, command) => members.use((one) => one.sendCommand(command, PLAIN)),
    { ...prefixed(client), close, sendAll, replace },
    () => link.errors,
  );
}

export function sentinelWire(client: NodeRedisSentinel): RedisWire {
  const link = linkNodeRedis(client, false);
  function send(command: RedisCommand): Promise<unknown> {
    if (client._execute === undefined) return client.sendCommand(false, command, PLAIN);
    let isLost = false;
    return client._execute(false, (master) => {
      if (isLost) link.resent++;
      return master.sendCommand(command, PLAIN).catch((error) => {
        // A read-only server has answered, and done nothing.
        isLost ||= !String((error as Partial<Error> | null)?.message).startsWith("READONLY");
        throw error;
      });
    });
  }
  const close = (): Promise<void> =>
    leaveNodeRedis(client, client.isReady === true && (() => send(PING)));
  const watch = async (): Promise<() => boolean> => changing(() => link.resent + link.errors);
  return wireOver(
    link,
    (_key, command) => send(command),
    { ...prefixed(client), close, watch },
    () => JSON.stringify(client.getMasterNode()),
  );
}

export function clusterWire(client: NodeRedisCluster): RedisWire {
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
  return wireOver(
    link,
    (key, command) => client.sendCommand(key, false, command, PLAIN),
    { ...prefixed(client), isCluster: true, close, nodes, replace },
    () => null,
  );
}
