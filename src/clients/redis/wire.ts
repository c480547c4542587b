import { listenTo } from "../../platform/error-listener.ts";
import { within } from "../../concurrency/timeout.ts";
import { Link, type LinkedClient } from "./link.ts";

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
  /** This value changes when another server may have taken its place, or it may have restarted. */
  epoch(): unknown;
}

/** The connection of a client, with the same methods for every kind of client. */
export interface RedisWire {
  readonly isCluster: boolean;
  /** Whether all commands go through one connection, one behind the other. */
  readonly isInOrder: boolean;
  /**
   * The prefix that the client itself puts before every key (`keyPrefix`): the keys on the server
   * have it.
   */
  readonly prefix: string;
  /**
   * The prefix that the keys of a command need. It is empty if the client also puts its prefix
   * before the keys of raw commands.
   */
  readonly before: string;
  /** Sends one command. On a cluster the key decides the node. */
  send(key: string, command: RedisCommand): Promise<unknown>;
  /** Sends several commands without waiting in between. */
  sendAll(commands: readonly (readonly [key: string, command: RedisCommand])[]): Promise<unknown[]>;
  /** Every server that holds keys. */
  nodes(): Promise<readonly RedisNode[]>;
  /**
   * The returned function tells whether the client may have lost an answer since then, and sent the
   * command again. The second answer does not tell whether the first command was carried out.
   */
  watch(): Promise<() => boolean>;
  close(): Promise<void>;
  /**
   * Replaces the connection after several requests in a row without an answer. Pending commands
   * reject, and are not sent again.
   */
  replace?(): void;
}

/** How long a client may take to finish its commands before it is cut off, in milliseconds. */
export const FAREWELL = 150;

export const PING: RedisCommand = ["PING"];

// By client: its state and its one listener.
const links = new WeakMap<object, Link>();

/** The link of a client, which all stores over the client share. */
export function linkOf(client: object, linked: LinkedClient): Link {
  // Proxies such as `client.withTypeMapping()` are the same client.
  const self = (client as { _self?: object })._self ?? client;
  const link = links.get(self) ?? new Link(linked, listenTo(self));
  links.set(self, link);
  link.begin();
  return link;
}

/**
 * Waits a limited time for the answers to sent commands (PING is answered after them), and cuts the
 * connection. The graceful ways of the clients wait for a silent server without limit. Cutting them
 * off there leads to late answers: exceptions that cannot be caught.
 */
export async function leave(
  ping: (() => Promise<unknown>) | false,
  end: () => unknown,
): Promise<void> {
  for (const step of [ping, end]) {
    try {
      if (step !== false) await within(Promise.resolve(step()), FAREWELL);
    } catch {
      // The server is gone or silent, or the client is closed already.
    }
  }
}

type Sender = (key: string, command: RedisCommand) => Promise<unknown>;

/** A wire whose commands wait for the link. */
export function wireOver(
  link: Link,
  send: Sender,
  rest: Pick<RedisWire, "prefix" | "before" | "close"> & Partial<RedisWire>,
  epoch: () => unknown,
): RedisWire {
  const linked = <T>(work: () => Promise<T>): Promise<T> => link.wait()?.then(work) ?? work();
  const sendAll =
    rest.sendAll ??
    ((commands) => Promise.all(commands.map(([key, command]) => send(key, command))));
  // Clients of node-redis send a command again only after a redirection.
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

/** Whether a number changes. */
export function changing(read: () => number): () => boolean {
  const before = read();
  return () => read() !== before;
}
