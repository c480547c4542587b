import { isKvError, KvError, type KvErrorCode } from "../errors.ts";

const STATUS: { readonly [code in KvErrorCode]?: number } = {
  KV_UNAUTHORIZED: 401,
  KV_FOREIGN: 409,
  KV_TOO_LARGE: 413,
  KV_CROSS_SLOT: 422,
  KV_RATE_LIMITED: 429,
  KV_CORRUPT: 500,
  KV_NOT_SUPPORTED: 501,
  KV_CONNECTION: 503,
  KV_CLOSED: 503,
  KV_QUOTA: 507,
};

type Headers = { readonly [name: string]: string };

/** A reply, before it becomes a `Response` or goes through Node. */
export interface Reply {
  readonly status: number;
  readonly headers: { [name: string]: string };
  /** A text goes out with its headers in one piece. */
  readonly body: string | ReadableStream<Uint8Array> | null;
  /** The space of a stream. */
  readonly space?: string;
}

/** A refusal that says more by its status or its headers than its code does. */
export class Refusal extends KvError {
  readonly status: number;
  readonly headers: Headers;

  constructor(code: KvErrorCode, message: string, status: number, headers: Headers = {}) {
    super(code, message);
    this.status = status;
    this.headers = headers;
  }
}

/** The reply to too many requests, with the seconds until more are allowed. */
export function limited(message: string, seconds: number): Refusal {
  const wait = Math.max(1, Math.ceil(seconds));
  return new Refusal("KV_RATE_LIMITED", `${message}: try again in ${wait} s`, 429, {
    "retry-after": String(wait),
  });
}

/** A reply with a JSON body. No cache may keep it: it may hold secrets. */
export function jsonReply(body: unknown, status = 200, headers: Headers = {}): Reply {
  const more = {
    "content-type": "application/json",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  };
  return { status, headers: { ...more, ...headers }, body: JSON.stringify(body) };
}

/**
 * The part of an error for a client: its code and message, without the prefix that its keys have in
 * the store. Other errors, and all causes, are not shown: they concern the server only.
 */
export function errorBody(
  error: unknown,
  prefix: string,
): { error: { code: KvErrorCode; message: string; key?: string } } {
  if (!isKvError(error)) return { error: { code: "KV_CONNECTION", message: "the server failed" } };
  const { code, message, key } = error;
  // That the server's store was closed does not close the client's.
  if (code === "KV_CONNECTION" || code === "KV_CLOSED")
    return {
      error: {
        code: "KV_CONNECTION",
        message: error instanceof Refusal ? message : "the server's store cannot be reached",
      },
    };
  const inMessage = JSON.stringify(prefix).slice(1, -1);
  const told = prefix === "" ? message : message.replaceAll(inMessage, "");
  return {
    error: {
      code,
      message: told,
      ...(key?.startsWith(prefix) ? { key: key.slice(prefix.length) } : {}),
    },
  };
}

/** The reply to a request that was refused or has failed. */
export function failure(error: unknown, prefix = ""): Reply {
  const status =
    error instanceof Refusal ? error.status : isKvError(error) ? (STATUS[error.code] ?? 400) : 500;
  const headers: { [name: string]: string } = error instanceof Refusal ? { ...error.headers } : {};
  if (status === 401) headers["www-authenticate"] = "Bearer";
  return jsonReply(errorBody(error, prefix), status, headers);
}
