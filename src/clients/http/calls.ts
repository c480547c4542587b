import { KvError, type KvErrorCode } from "../../errors.ts";
import { randomPause } from "../../concurrency/retry.ts";

/**
 * How often something is sent again at most, and how long the first pause is at most; the second is
 * twice as long. In milliseconds.
 */
const RETRIES = 2;
const PAUSE = 100;

/**
 * How many turns `fetch` takes to close connections at most, and how long one is at least, in ms.
 */
const TURNS = 4;
const TURN = 5;
/** For how long new requests leave it that time, in milliseconds. */
const RECENT = 1000;

/**
 * Several turns rather than one timer: on a busy machine one timer fires before work that was due
 * earlier.
 */
async function someTurns(): Promise<void> {
  for (let left = TURNS; left > 0; left--)
    await new Promise((resolve) => setTimeout(resolve, TURN));
}

/**
 * Which requests may be sent again: all that had no effect, or have it only once; or only those
 * that were certainly not received.
 */
export type Retry = "safe" | "unsent";

/** The fetch of a runtime, or one that stands for it. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** An answer of something that stands before the server, or of one whose store is away for now. */
class Unavailable extends Error {
  readonly known: KvError;

  constructor(known: KvError) {
    super();
    this.known = known;
  }
}

const isObject = (value: unknown): value is { readonly [name: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Whether the request was certainly not received. */
function isUnsent(error: unknown): boolean {
  const { code, cause } = Object(error) as { code?: unknown; cause?: unknown };
  return (
    code === "ECONNREFUSED" ||
    code === "ConnectionRefused" ||
    (cause !== undefined && isUnsent(cause))
  );
}

/** The requests to one server. */
export class HttpCalls {
  readonly #base: string;
  readonly #headers: { readonly [name: string]: string };
  readonly #fetch: Fetch;
  /** One for each request: a signal that lives long would keep the listeners of all requests. */
  readonly #running = new Set<AbortController>();
  #isClosed = false;
  /** How often everything under way was given up. */
  #replacements = 0;
  /** When that was the last time, in milliseconds. */
  #replacedAt = 0;

  /** `base` has no slash at its end. */
  constructor(base: string, headers: { readonly [name: string]: string }, fetch: Fetch) {
    this.#base = base;
    this.#headers = { ...headers, "content-type": "application/json" };
    this.#fetch = fetch;
  }

  /**
   * The server's answer to an operation.
   *
   * @throws {KvError} the error of the server; KV_CONNECTION when it is no server of anykv,
   * KV_CLOSED after `close()`. An error of `fetch`.
   */
  async call(
    operation: string,
    body: string,
    retry: Retry,
  ): Promise<{ readonly [name: string]: unknown }> {
    const replacements = this.#replacements;
    for (let left = RETRIES; ; left--) {
      try {
        return await this.#once(operation, body);
      } catch (error) {
        if (this.#isClosed)
          throw new KvError(
            "KV_CLOSED",
            "this store was closed before the server had answered: what was asked for may be done",
          );
        // Sent again, it could overtake later calls of its caller.
        if (replacements !== this.#replacements) throw error;
        const isAgain = isUnsent(error) || (retry === "safe" && !(error instanceof KvError));
        if (left === 0 || !isAgain) throw error instanceof Unavailable ? error.known : error;
      }
      await randomPause(PAUSE * (RETRIES - left + 1));
    }
  }

  /** Ends pending requests. */
  close(): void {
    this.#isClosed = true;
    for (const request of this.#running) request.abort();
  }

  /** Aborts pending requests, and their connections: `fetch` then makes others. */
  replace(): void {
    this.#replacements++;
    for (const request of this.#running)
      request.abort(
        new Error("several requests in a row were not answered: this one was given up"),
      );
    // `fetch` takes its first free connection. Until these are closed, that is another old one.
    this.#replacedAt = Date.now();
  }

  /**
   * The body of a response that goes on until it is aborted, as text.
   *
   * @throws {KvError} as `call()`.
   */
  async stream(
    operation: string,
    body: string,
    signal: AbortSignal,
  ): Promise<ReadableStreamDefaultReader<string>> {
    const response = await this.#fetch(`${this.#base}/v1/${operation}`, {
      method: "POST",
      headers: this.#headers,
      body,
      redirect: "manual",
      signal,
    });
    if (!response.ok || response.body === null)
      throw refusal(response.status, parsed(await response.text()));
    return response.body.pipeThrough(new TextDecoderStream() as never).getReader() as never;
  }

  async #once(operation: string, body: string): Promise<{ readonly [name: string]: unknown }> {
    // Each request waits by itself: an edge worker never settles a promise of another request.
    if (Date.now() - this.#replacedAt < RECENT) await someTurns();
    if (this.#isClosed) throw new Error("closed");
    const request = new AbortController();
    this.#running.add(request);
    try {
      // A token is for one server, so redirects are not followed.
      const init = {
        method: "POST",
        headers: this.#headers,
        body,
        redirect: "manual",
        signal: request.signal,
      } as const;
      const response = await this.#fetch(`${this.#base}/v1/${operation}`, init);
      const answer = parsed(await response.text());
      if (response.ok && isObject(answer)) return answer;
      const error = refusal(response.status, answer);
      // A server that is too busy does not want the same again at once.
      const isAway = [502, 503, 504].includes(response.status) && error.code !== "KV_RATE_LIMITED";
      throw isAway ? new Unavailable(error) : error;
    } finally {
      this.#running.delete(request);
    }
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** The error that the server reports; an error that names the sender of any other answer. */
function refusal(status: number, answer: unknown): KvError {
  const { code, message, key } = Object(isObject(answer) ? answer.error : null) as {
    code?: unknown;
    message?: unknown;
    key?: unknown;
  };
  if (typeof code === "string" && /^KV_[A-Z_]+$/.test(code)) {
    return new KvError(code as KvErrorCode, String(message), {
      client: "HTTP",
      ...(typeof key === "string" ? { key } : {}),
    });
  }
  return new KvError(
    "KV_CONNECTION",
    `HTTP: the answer has status ${status} and does not come from a server of this library: ` +
      "check the URL",
    { client: "HTTP" },
  );
}
