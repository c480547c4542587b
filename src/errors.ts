/**
 * Every code that a {@link KvError} can carry.
 *
 * | code | thrown when |
 * |---|---|
 * | `KV_UNKNOWN_CLIENT` | `kv()` was given something that is no client |
 * | `KV_INVALID_CLIENT` | the client is of a known kind and cannot be used |
 * | `KV_INVALID_KEY` | a key or prefix is no string, is empty, or holds a lone surrogate |
 * | `KV_INVALID_VALUE` | a value, its metadata or an option cannot be stored |
 * | `KV_INVALID_EXPIRES` | a duration or moment cannot be read |
 * | `KV_INVALID_CURSOR` | a cursor was not made by a listing like this one |
 * | `KV_TOO_LARGE` | the key or the value is larger than the client can hold |
 * | `KV_QUOTA` | the client's storage is full |
 * | `KV_NOT_SUPPORTED` | the client cannot do this; see `store.supports` |
 * | `KV_FOREIGN` | the item under this key was not written by this library |
 * | `KV_CORRUPT` | data of this library is damaged |
 * | `KV_CONNECTION` | the client failed or could not be reached; `cause` is its own error |
 * | `KV_CLOSED` | the store was closed |
 * | `KV_CROSS_SLOT` | a transaction spans several shards of a cluster |
 * | `KV_CONFLICT` | another request has saved the session that was read |
 * | `KV_VALIDATION` | a value does not fit its schema, or a unique index has the same already |
 * | `KV_UNAUTHORIZED` | a server refused the access token |
 * | `KV_RATE_LIMITED` | a server refused for now |
 * | `KV_TIMEOUT` | a loader of a cache took longer than its caller waits |
 */
export type KvErrorCode =
  | "KV_UNKNOWN_CLIENT"
  | "KV_INVALID_CLIENT"
  | "KV_INVALID_KEY"
  | "KV_INVALID_VALUE"
  | "KV_INVALID_EXPIRES"
  | "KV_INVALID_CURSOR"
  | "KV_TOO_LARGE"
  | "KV_QUOTA"
  | "KV_NOT_SUPPORTED"
  | "KV_FOREIGN"
  | "KV_CORRUPT"
  | "KV_CONNECTION"
  | "KV_CLOSED"
  | "KV_CROSS_SLOT"
  | "KV_CONFLICT"
  | "KV_VALIDATION"
  | "KV_UNAUTHORIZED"
  | "KV_RATE_LIMITED"
  | "KV_TIMEOUT";

/** The further members of a {@link KvError}. */
export interface KvErrorDetails {
  /** The type of the client that refused, e.g. `"SQLITE"`. */
  client?: string | undefined;
  /** The key that was refused, as the client sees it (with the store's prefix). */
  key?: string | undefined;
  /** The error underneath, where there is one. */
  cause?: unknown;
}

/**
 * The one class of error that this library throws: every refusal and every failure of a client.
 *
 * The message names the rejected argument and the remedy; it never holds a value.
 *
 * @example
 * import kv, { isKvError } from "anykv";
 *
 * try {
 *   await kv().set("user", { born: new Date() });
 * } catch (error) {
 *   console.log(isKvError(error, "KV_INVALID_VALUE")); // true
 *   console.log(error.message);
 *   // "value.born is a Date: only JSON can be stored (a codec widens that)"
 * }
 */
export class KvError extends Error {
  override readonly name = "KvError";
  readonly code: KvErrorCode;
  readonly client: string | undefined;
  readonly key: string | undefined;

  constructor(code: KvErrorCode, message: string, details: KvErrorDetails = {}) {
    super(message, "cause" in details ? { cause: details.cause } : undefined);
    this.code = code;
    this.client = details.client;
    this.key = details.key;
  }
}

/**
 * Whether something thrown is a {@link KvError}, optionally with this code.
 *
 * Works across bundles and realms: it looks at the name and the code, not at the class.
 *
 * @example
 * import kv, { isKvError } from "anykv";
 *
 * const error = await kv().get("").catch((error) => error);
 * console.log(isKvError(error)); // true
 * console.log(isKvError(error, "KV_INVALID_KEY")); // true
 * console.log(isKvError(new Error("other"))); // false
 */
export function isKvError(error: unknown, code?: KvErrorCode): error is KvError {
  const { name, code: found } = Object(error) as Partial<KvError>;
  return name === "KvError" && typeof found === "string" && (code === undefined || found === code);
}
