import type { Store } from "../api.ts";
import { durationOf, MOST_INTERVAL } from "../concurrency/interval.ts";
import { KvError } from "../errors.ts";
import { checkOptions } from "../platform/options.ts";
import { utf8Length } from "../record/utf8.ts";
import { type Incoming, objectIn, bodyText } from "./body.ts";
import { Commits } from "./commits.ts";
import { type Limits, limitsOf } from "./limits.ts";
import { OperationCounter } from "./operation-counter.ts";
import { OPERATIONS, type Room } from "./routes.ts";
import { failure, jsonReply, Refusal, type Reply } from "./reply.ts";
import { contextOfStore, Space } from "./space.ts";
import { type Grant, type TokenOptions, Tokens } from "./tokens.ts";
import { Watchers } from "./watchers.ts";
import type { SpaceTurns } from "./space-turns.ts";

/** What is told of a request: nothing of its query, headers, keys and values. */
export interface LogLine {
  /** When it began, in ISO 8601. */
  time: string;
  method: string;
  /** `"get"`, `"commit"`, `"health"`…; `null` for a path that is none. */
  operation: string | null;
  /** The name of the space; `null` without a token that is known. */
  space: string | null;
  status: number;
  /** How long it took until the response began, in milliseconds. */
  ms: number;
  /** The size of the response; 0 for event streams. */
  bytes: number;
}

/** Options of {@link createHandler}. */
export interface HandlerOptions {
  /**
   * Who may use it; `"none"` lets everyone read and write everything in one space. Each with a
   * space of its own, or a shared one.
   */
  tokens: readonly TokenOptions[] | "none";
  /** Limits of the tokens that name none of their own. */
  limits?: Limits;
  /**
   * The origins whose pages may use it from a browser, such as `"https://example.com"`. Default:
   * none.
   */
  cors?: readonly string[];
  /** Told of each request. What it throws is ignored. */
  log?: (line: LogLine) => void;
  /** The path in front of `/v1/…`, `/health` and `/ready`, such as `"/kv"`. Default `""`. */
  base?: string;
  /**
   * How long the body of a request may take: seconds up to 600, or a string such as `"10s"`.
   * Default 30.
   */
  bodyTimeout?: number | string;
  /**
   * How often event streams look for changes that were not made through this handler: seconds up to
   * 60, or a string such as `"500ms"`. Default 1.
   */
  interval?: number | string;
  /** Ends event streams, and the readiness for more requests. */
  signal?: AbortSignal;
}

/** The options that {@link createHandler} and `serve()` share. */
export const HANDLER_OPTIONS: readonly string[] = [
  "tokens",
  "limits",
  "cors",
  "log",
  "base",
  "bodyTimeout",
  "interval",
];

interface Outcome {
  readonly operation: string | null;
  readonly space: string | null;
  readonly reply: Reply;
}

/**
 * {@link createHandler} for anything that has what is needed of a request. With `turns` the spaces
 * take turns.
 */
export function handlerOf(
  store: unknown,
  options: HandlerOptions,
  turns?: SpaceTurns,
): (request: Incoming) => Promise<Reply> {
  const {
    tokens: known,
    limits: given,
    cors = [],
    log,
    base = "",
    bodyTimeout,
    interval = 1,
    signal: closing,
  } = Object(options) as HandlerOptions;
  contextOfStore(store);
  const limits = limitsOf(given);
  const tokens = new Tokens(known, limits);
  const origins = originsIn(cors);
  const bodyMilliseconds = bodyTimeoutOf(bodyTimeout);
  const milliseconds = durationOf("interval", interval, MOST_INTERVAL);
  if (log !== undefined && typeof log !== "function")
    throw new KvError("KV_INVALID_VALUE", '"log" is a function');
  if (base !== "" && !/^(\/[\w.~-]+)+$/.test(base))
    throw new KvError(
      "KV_INVALID_VALUE",
      '"base" is a path such as "/kv", without a slash at its end',
    );
  const isMetered = (name: string): boolean =>
    tokens.grants.some(({ space, limits }) => space === name && limits.storageBytes < Infinity);
  const rooms = new Map<string, Room>();
  for (const { space: name } of tokens.grants) {
    const space = new Space(store, name);
    if (!rooms.has(name))
      rooms.set(name, {
        space,
        commits: new Commits(space, isMetered(name)),
        operations: new OperationCounter(space),
        watchers: new Watchers(space, milliseconds, closing),
      });
  }

  // However many ask at once, the store is asked once.
  let asking: Promise<boolean> | null = null;
  const isReady = (): Promise<boolean> =>
    (asking ??= (store as Store)
      .has("x")
      .then(
        () => closing?.aborted !== true,
        () => false,
      )
      .finally(() => (asking = null)));

  async function perform(name: string, request: Incoming, grant: Grant): Promise<unknown> {
    const operation = OPERATIONS.get(name)!;
    grant.rate.take();
    if (operation.isWrite && grant.isReadOnly)
      throw new Refusal("KV_UNAUTHORIZED", "this token may only read", 403);
    const text = await bodyText(request, grant.limits.bodyBytes, bodyMilliseconds);
    const room = rooms.get(grant.space)!;
    const work = async (): Promise<unknown> => {
      const prepared = operation.prepare(objectIn(text), room, grant);
      try {
        await room.operations.count(Math.max(1, prepared.count), grant.limits.operationsPerMonth);
        return await prepared.run();
      } catch (error) {
        throw new Placed(error, room.space.prefix);
      }
    };
    return turns === undefined ? work() : turns.take(grant.space, text?.length ?? 0, work);
  }

  async function answer(request: Incoming): Promise<Outcome> {
    let [operation, space]: [string | null, string | null] = [null, null];
    try {
      operation = operationIn(request, base);
      if (request.method === "OPTIONS" && origins.has(request.headers.get("origin") ?? ""))
        return { operation, space, reply: preflight() };
      const method = OPERATIONS.has(operation) ? "POST" : "GET";
      if (request.method !== method)
        throw new Refusal("KV_NOT_SUPPORTED", `this path takes ${method}`, 405, { allow: method });
      if (operation === "health") return { operation, space, reply: jsonReply({ ok: true }) };
      if (operation === "ready") {
        const ok = await isReady();
        return { operation, space, reply: jsonReply({ ok }, ok ? 200 : 503) };
      }
      const grant = await tokens.grantOf(request);
      space = grant.space;
      const result = await perform(operation, request, grant);
      if (!(result instanceof ReadableStream))
        return { operation, space, reply: jsonReply(result) };
      const headers = {
        "content-type": "text/event-stream",
        "cache-control": "no-store",
        "x-accel-buffering": "no",
      };
      return { operation, space, reply: { status: 200, headers, body: result, space } };
    } catch (error) {
      return {
        operation,
        space,
        reply: error instanceof Placed ? failure(error.error, error.prefix) : failure(error),
      };
    }
  }

  return async (request) => {
    const [time, began] = log === undefined ? [0, 0] : [Date.now(), performance.now()];
    const { operation, space, reply } = await answer(request);
    const { status, headers, body } = reply;
    const origin = request.headers.get("origin");
    if (origin !== null && origins.has(origin)) {
      headers["access-control-allow-origin"] = origin;
      headers["access-control-expose-headers"] = "retry-after";
    }
    if (origins.size > 0) headers.vary = "origin";
    if (log === undefined) return reply;
    try {
      const ms = Math.round((performance.now() - began) * 1000) / 1000;
      log({
        time: new Date(time).toISOString(),
        method: request.method,
        operation,
        space,
        status,
        ms,
        bytes: typeof body === "string" ? utf8Length(body) : 0,
      });
    } catch {
      // A request is answered whether or not it can be noted.
    }
    return reply;
  };
}

/** An error of a space, in whose store keys have a prefix. */
class Placed extends Error {
  readonly error: unknown;
  readonly prefix: string;

  constructor(error: unknown, prefix: string) {
    super();
    this.error = error;
    this.prefix = prefix;
  }
}

function originsIn(cors: unknown): ReadonlySet<string> {
  const isOrigin = (text: string): boolean => URL.canParse(text) && new URL(text).origin === text;
  if (Array.isArray(cors) && cors.every(isOrigin)) return new Set(cors);
  throw new KvError(
    "KV_INVALID_VALUE",
    '"cors" lists origins such as ["https://example.com"]: no "*", no path',
  );
}

/** The option `bodyTimeout` in milliseconds. @throws {KvError} KV_INVALID_VALUE. */
export const bodyTimeoutOf = (bodyTimeout: number | string = 30): number =>
  durationOf("bodyTimeout", bodyTimeout, 600);

/** The name of what a path stands for. @throws {KvError} KV_NOT_SUPPORTED for any other path. */
function operationIn({ url }: Incoming, base: string): string {
  const path = URL.canParse(url) ? new URL(url).pathname : "";
  const name = path.startsWith(`${base}/`) ? path.slice(base.length + 1) : "";
  if (name === "health" || name === "ready") return name;
  if (name.startsWith("v1/") && OPERATIONS.has(name.slice(3))) return name.slice(3);
  throw new Refusal(
    "KV_NOT_SUPPORTED",
    `there is nothing at this path: operations are at ${base}/v1/…`,
    404,
  );
}

const preflight = (): Reply => ({
  status: 204,
  headers: {
    "access-control-allow-methods": "POST, GET",
    "access-control-allow-headers": "authorization, content-type, x-region",
    "access-control-max-age": "86400",
  },
  body: null,
});

/**
 * A server for a store: a function from `Request` to `Response`, for Node ({@link serve} starts it
 * there), Bun, Deno, Workers and anything else that has them. It never throws. The protocol is in
 * docs/http.md; `kv("https://…")` and `connect()` are its clients.
 *
 * Every token opens the key space that it names, and nothing else. Without a token that is known
 * nothing but `/health` and `/ready` is answered.
 *
 * @throws {KvError} at once: KV_INVALID_VALUE for options that are none, KV_INVALID_CLIENT for
 * anything but a store.
 * @example
 * import kv from "anykv";
 * import { http } from "anykv/clients/http";
 * import { createHandler } from "anykv/http";
 *
 * const token = crypto.randomUUID();
 * const handler = createHandler(kv(new Map()), { tokens: [{ token, space: "docs" }] });
 * // In Deno: Deno.serve(handler). In a worker: export default { fetch: handler }.
 *
 * const fetch = (...request) => handler(new Request(...request));
 * const store = kv(http("https://localhost", { token, fetch }));
 * await store.set("key1", "Hello world", { expires: "1h" });
 * console.log(await store.get("key1")); // "Hello world"
 */
export function createHandler<V>(
  store: Store<V>,
  options: HandlerOptions,
): (request: Request) => Promise<Response> {
  checkOptions(options, [...HANDLER_OPTIONS, "signal"], "createHandler()");
  const handle = handlerOf(store, options);
  return async (request) => {
    const { body, ...rest } = await handle(request);
    return new Response(body, rest);
  };
}
