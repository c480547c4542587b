import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Store } from "../api.ts";
import { builtin } from "../platform/node.ts";
import type { AsyncUsingDisposable } from "../types.ts";
import { durationOf } from "../concurrency/interval.ts";
import { KvError } from "../errors.ts";
import { checkOptions } from "../platform/options.ts";
import { Connections } from "./connections.ts";
import { Handler } from "./handler.ts";
import { bodyTimeoutOf, HANDLER_OPTIONS, type HandlerOptions } from "./options.ts";
import { incoming, send } from "./node-request.ts";
import { SpaceTurns } from "./space-turns.ts";
import { UnreadOutput } from "./unread-output.ts";

/** Options of {@link serve}. */
export interface ServeOptions extends Omit<HandlerOptions, "signal"> {
  /** The port to listen on. Default 0: one that is free. */
  port?: number;
  /** The address to listen on. Default `"127.0.0.1"`: only this machine reaches it. */
  hostname?: string;
  /**
   * How long `close()` lets running requests end: seconds up to 600, a string such as `"1m"`, or 0
   * or `null` for as long as they take. Default 10.
   */
  grace?: number | string | null;
}

/** A server that is running. */
export interface KvServer extends AsyncUsingDisposable {
  /**
   * Where it is reached from this machine, such as `"http://127.0.0.1:8080"`, with the `base`
   * behind it.
   */
  readonly url: string;
  readonly port: number;
  /**
   * Accepts nothing more, ends event streams, lets running requests end within the `grace`, and
   * then ends the others. The store stays open. A second call waits for the first.
   */
  close(): Promise<void>;
}

/** Node looks for requests that take too long only so often. */
const LOOK = 1000;
/** How long a client whose body is refused has to read the refusal, in milliseconds. */
const LINGER = 1000;
/**
 * Longer than clients and proxies keep an idle connection: the server must not end it just as they
 * use it.
 */
const KEPT = 65_000;

/**
 * Starts {@link createHandler} on `node:http`. It speaks plain HTTP: on the internet it belongs
 * behind a proxy that speaks TLS.
 *
 * A request has to be complete within `bodyTimeout`; one whose body is refused is not read to its
 * end.
 *
 * @throws {KvError} KV_CONNECTION when it cannot listen, KV_NOT_SUPPORTED without `node:http`, and
 * as `createHandler()`.
 * @example
 * import kv from "anykv";
 * import { http } from "anykv/clients/http";
 * import { serve } from "anykv/http";
 *
 * const token = crypto.randomUUID();
 * const server = await serve(kv(new Map()), { tokens: [{ token, space: "docs" }] });
 *
 * const store = kv(http(server.url, { token }));
 * await store.set("key1", "Hello world");
 * console.log(await store.get("key1")); // "Hello world"
 * await server.close();
 */
export async function serve<V>(store: Store<V>, options: ServeOptions): Promise<KvServer> {
  checkOptions(options, [...HANDLER_OPTIONS, "port", "hostname", "grace"], "serve()");
  const {
    port = 0,
    hostname = "127.0.0.1",
    grace = 10,
    base = "",
    bodyTimeout,
  } = Object(options) as ServeOptions;
  const closing = new AbortController();
  const handler = new Handler(store, { ...options, signal: closing.signal }, new SpaceTurns());
  const patience = graceOf(grace);
  const timeout = bodyTimeoutOf(bodyTimeout);
  const wanted = portOf(port);
  const connections = new Connections();
  const server = serverOf(handler, timeout, connections, closing.signal);
  await listening(server, wanted, hostname);
  const address = server.address() as AddressInfo;
  let closed: Promise<void> | null = null;
  const close = (): Promise<void> => {
    closing.abort();
    closed ??= ended(server, patience);
    connections.destroyIdle();
    return closed;
  };
  return {
    url: `http://${reachableHost(hostname)}:${address.port}${base}`,
    port: address.port,
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** A server of Node that answers with a handler. */
function serverOf(
  handler: Handler,
  bodyTimeout: number,
  connections: Connections,
  closing: AbortSignal,
): Server {
  const { createServer } = builtin("node:http");
  if (createServer === undefined)
    throw new KvError(
      "KV_NOT_SUPPORTED",
      "serve() needs node:http: elsewhere hand createHandler() to what serves requests",
    );
  const timeouts = {
    requestTimeout: bodyTimeout,
    headersTimeout: Math.min(bodyTimeout, 10_000),
    keepAliveTimeout: KEPT,
    connectionsCheckingInterval: Math.min(bodyTimeout, LOOK),
  };
  const unread = new UnreadOutput();
  const respond = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const reply = await handler.handle(incoming(request));
    // The unread rest must not be taken for the next request.
    const isWhole = request.complete;
    if (!isWhole || closing.aborted) reply.headers.connection = "close";
    await send(response, reply, isWhole, unread);
    if (isWhole) return;
    // Ended at once, the connection would be reset, and the answer lost with it.
    const timer = setTimeout(() => request.destroy(), LINGER);
    response.once("close", () => clearTimeout(timer));
  };
  const server = createServer(timeouts, (request, response) => {
    const { socket } = request;
    connections.begin(socket);
    response.once("close", () => {
      connections.end(socket);
      if (closing.aborted && connections.isIdle(socket)) socket.end();
    });
    void respond(request, response).catch(() => response.destroy());
  });
  server.on("connection", (socket) => connections.add(socket));
  return server;
}

/** The host under which this machine reaches an address that a server listens on. */
function reachableHost(hostname: string): string {
  if (hostname === "0.0.0.0" || hostname === "::") return "localhost";
  return hostname.includes(":") ? `[${hostname}]` : hostname;
}

/** The port as a number. Texts are accepted: environment variables hold them. */
function portOf(port: unknown): number {
  const wanted = Number(port);
  // Node would take another text for the path of a socket in the file system.
  if (Number.isInteger(wanted) && wanted >= 0 && wanted < 65_536) return wanted;
  throw new KvError(
    "KV_INVALID_VALUE",
    '"port" is a whole number from 0, which is any that is free, to 65535',
  );
}

/** The option `grace` in milliseconds; `Infinity` for any time. */
function graceOf(grace: number | string | null): number {
  return grace === null || grace === Infinity
    ? Infinity
    : durationOf("grace", grace, 600, 0) || Infinity;
}

function listening(server: Server, port: number, hostname: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) =>
      reject(
        new KvError(
          "KV_CONNECTION",
          `the server cannot listen on port ${port} (${cause.code}): see the cause`,
          { cause },
        ),
      ),
    );
    server.listen(port, hostname, resolve);
  });
}

function ended(server: Server, patience: number): Promise<void> {
  return new Promise((resolve) => {
    const timer =
      patience === Infinity ? undefined : setTimeout(() => server.closeAllConnections(), patience);
    server.close(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
