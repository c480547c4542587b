import type { Connection } from "./connection.ts";
import { isKvError, KvError } from "../errors.ts";
import { LateError } from "../concurrency/timeout.ts";

/** The actions that change nothing. Any other may still be carried out when it is late. */
const READS = /^(reading|listing|watching|connecting|has|getMany|keys|values|entries)$/;

/**
 * The error as users get it: a {@link KvError} with the client's type and the key filled in,
 * anything else as the `cause` of KV_CONNECTION.
 *
 * @param address host and port of the client's server, where they are known.
 */
export function toKvError(
  error: unknown,
  client: string,
  action: string,
  key?: string,
  address?: string,
): KvError {
  if (isKvError(error)) {
    const { code, message, cause } = error;
    if (error.client !== undefined && error instanceof KvError) return error;
    return new KvError(code, message, {
      client,
      key: error.key ?? key,
      ...(cause === undefined ? {} : { cause }),
    });
  }
  // The client's own message may show values: it stays with the cause.
  // An error of fetch() keeps the reason in a cause of its own.
  const {
    cause,
    code = (Object(cause) as { code?: unknown }).code,
    name = typeof error,
  } = Object(error) as { cause?: unknown; code?: unknown; name?: string };
  const reason =
    error instanceof LateError
      ? `: ${error.message}${READS.test(action) ? "" : "; it may still be carried out"}`
      : ` (${typeof code === "string" ? code : name}): see the cause`;
  const where = address === undefined ? client : `${client} (${address})`;
  return new KvError(
    "KV_CONNECTION",
    `${where}: ${action}${key === undefined ? "" : ` ${JSON.stringify(key)}`} failed${reason}`,
    { client, key, cause: error },
  );
}

/** The error for a store that was closed. */
export function closedError({ source }: Connection, cause?: unknown): KvError {
  const details = cause === undefined ? {} : { cause };
  return new KvError("KV_CLOSED", "this store was closed: make a new one with kv()", {
    client: source.type,
    ...details,
  });
}

/**
 * Throws the error as users get it. Once the store is closed, an error of the client becomes
 * KV_CLOSED.
 *
 * @param key the key if it is a text: a wrong key of another type is left out.
 */
export function failWith(
  connection: Connection,
  error: unknown,
  action: string,
  key?: unknown,
): never {
  const { type, address } = connection.source;
  throw connection.closing === null || isKvError(error)
    ? toKvError(error, type, action, typeof key === "string" ? key : undefined, address)
    : closedError(connection, error);
}
