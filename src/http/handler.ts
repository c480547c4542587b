import type { Store } from "../api.ts";
import { checkOptions } from "../platform/options.ts";
import { utf8Length } from "../record/utf8.ts";
import { type Incoming, objectIn, bodyText } from "./body.ts";
import { Commits } from "./commits.ts";
import { OperationCounter } from "./operation-counter.ts";
import { HANDLER_OPTIONS, type HandlerOptions, type Settings, settingsOf } from "./options.ts";
import { OPERATIONS, type Room } from "./routes.ts";
import { failure, jsonReply, Refusal, type Reply } from "./reply.ts";
import { contextOfStore, Space } from "./space.ts";
import type { Grant } from "./tokens.ts";
import { Watchers } from "./watchers.ts";
import type { SpaceTurns } from "./space-turns.ts";

interface Outcome {
  readonly operation: string | null;
  readonly space: string | null;
  readonly reply: Reply;
}

/** Answers requests to the spaces of a store. With `turns` the spaces take turns. */
export class Handler {
  readonly #store: Store;
  readonly #settings: Settings;
  readonly #turns: SpaceTurns | undefined;
  readonly #rooms = new Map<string, Room>();
  /** One request to the store answers all who ask for its readiness meanwhile. */
  #asking: Promise<boolean> | null = null;

  /** @throws {KvError} KV_INVALID_VALUE for wrong options, KV_INVALID_CLIENT without a store. */
  constructor(store: unknown, options: HandlerOptions, turns?: SpaceTurns) {
    contextOfStore(store);
    this.#store = store as Store;
    this.#settings = settingsOf(options);
    this.#turns = turns;
    const { tokens, interval, signal } = this.#settings;
    const isMetered = (name: string): boolean =>
      tokens.grants.some(({ space, limits }) => space === name && limits.storageBytes < Infinity);
    for (const { space: name } of tokens.grants) {
      if (this.#rooms.has(name)) continue;
      const space = new Space(store, name);
      this.#rooms.set(name, {
        space,
        commits: new Commits(space, isMetered(name)),
        operations: new OperationCounter(space),
        watchers: new Watchers(space, interval, signal),
      });
    }
  }

  async handle(request: Incoming): Promise<Reply> {
    const { log, origins } = this.#settings;
    const [time, began] = log === undefined ? [0, 0] : [Date.now(), performance.now()];
    const outcome = await this.#answer(request);
    const { reply } = outcome;
    const { headers } = reply;
    const origin = request.headers.get("origin");
    if (origin !== null && origins.has(origin)) {
      headers["access-control-allow-origin"] = origin;
      headers["access-control-expose-headers"] = "retry-after";
    }
    if (origins.size > 0) headers.vary = "origin";
    if (log !== undefined) this.#log(log, request.method, outcome, time, began);
    return reply;
  }

  #log(
    log: NonNullable<HandlerOptions["log"]>,
    method: string,
    { operation, space, reply: { status, body } }: Outcome,
    time: number,
    began: number,
  ): void {
    const ms = Math.round((performance.now() - began) * 1000) / 1000;
    const bytes = typeof body === "string" ? utf8Length(body) : 0;
    try {
      log({ time: new Date(time).toISOString(), method, operation, space, status, ms, bytes });
    } catch {
      // A request is answered whether or not it can be logged.
    }
  }

  async #answer(request: Incoming): Promise<Outcome> {
    let [operation, space]: [string | null, string | null] = [null, null];
    try {
      operation = operationIn(request, this.#settings.base);
      const early = await this.#withoutToken(operation, request);
      if (early !== null) return { operation, space, reply: early };
      const grant = await this.#settings.tokens.grantOf(request);
      space = grant.space;
      const result = await this.#perform(operation, request, grant);
      if (!(result instanceof ReadableStream))
        return { operation, space, reply: jsonReply(result) };
      const headers = {
        "content-type": "text/event-stream",
        "cache-control": "no-store",
        "x-accel-buffering": "no",
      };
      return { operation, space, reply: { status: 200, headers, body: result, space } };
    } catch (error) {
      const reply = error instanceof Placed ? failure(error.error, error.prefix) : failure(error);
      return { operation, space, reply };
    }
  }

  /** The reply to a request that needs no token; `null` for an operation on a space. */
  async #withoutToken(operation: string, request: Incoming): Promise<Reply | null> {
    const origin = request.headers.get("origin") ?? "";
    if (request.method === "OPTIONS" && this.#settings.origins.has(origin)) return preflight();
    const method = OPERATIONS.has(operation) ? "POST" : "GET";
    if (request.method !== method)
      throw new Refusal("KV_NOT_SUPPORTED", `this path takes ${method}`, 405, { allow: method });
    if (operation === "health") return jsonReply({ ok: true });
    if (operation !== "ready") return null;
    const ok = await this.#isReady();
    return jsonReply({ ok }, ok ? 200 : 503);
  }

  #isReady(): Promise<boolean> {
    return (this.#asking ??= this.#store
      .has("x")
      .then(
        () => this.#settings.signal?.aborted !== true,
        () => false,
      )
      .finally(() => (this.#asking = null)));
  }

  async #perform(name: string, request: Incoming, grant: Grant): Promise<unknown> {
    const operation = OPERATIONS.get(name)!;
    grant.rate.take();
    if (operation.isWrite && grant.isReadOnly)
      throw new Refusal("KV_UNAUTHORIZED", "this token may only read", 403);
    const { limits } = grant;
    const text = await bodyText(request, limits.bodyBytes, this.#settings.bodyTimeout);
    const room = this.#rooms.get(grant.space)!;
    const work = async (): Promise<unknown> => {
      const prepared = operation.prepare(objectIn(text), room, grant);
      try {
        await room.operations.count(Math.max(1, prepared.count), limits.operationsPerMonth);
        return await prepared.run();
      } catch (error) {
        throw new Placed(error, room.space.prefix);
      }
    };
    return this.#turns === undefined
      ? work()
      : this.#turns.take(grant.space, text?.length ?? 0, work);
  }
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

/** The operation of a path. @throws {KvError} KV_NOT_SUPPORTED for any other path. */
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
 * Every token opens the key space that it names, and nothing else. Without a known token only
 * `/health` and `/ready` are answered.
 *
 * @throws {KvError} at once: KV_INVALID_VALUE for wrong options, KV_INVALID_CLIENT for
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
  const handler = new Handler(store, options);
  return async (request) => {
    const { body, ...rest } = await handler.handle(request);
    return new Response(body, rest);
  };
}
