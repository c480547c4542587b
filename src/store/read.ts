import { decode, locate } from "./checked.ts";
import type { StoreContext } from "./context.ts";
import { isKvError } from "../errors.ts";
import { failWith } from "./failure.ts";
import { lanesOf } from "../concurrency/lanes.ts";
import { within } from "../concurrency/timeout.ts";
import { inOrder, orderIn } from "./perform.ts";
import { evictFrom } from "./sweep.ts";
import type { MaybePromise } from "../types.ts";
import type { KvRecord } from "../record/types.ts";
import type { Adapter } from "../clients/adapter.ts";

// These functions return a promise only for work that takes time, so that a read of a client that
// answers at once makes a single promise.

/** The fresh record, or `null`, in call order. */
export function readRecord(context: StoreContext, key: string): MaybePromise<KvRecord | null> {
  const found = lookUp(context, key, (adapter) => readNow(context, key, adapter));
  return found instanceof Promise
    ? found.then((record) => dropIfExpired(context, key, record))
    : dropIfExpired(context, key, found);
}

/** Looks at one key in call order. This costs nothing while no other call is pending. */
function lookUp<T>(
  context: StoreContext,
  key: string,
  look: (adapter: Adapter) => MaybePromise<T>,
): MaybePromise<T> {
  const { adapter } = context.connection;
  const order = orderIn(context);
  if (adapter === null || order.pending > 0)
    return inOrder(context, { read: [key] }, look, 1, "item");
  const found = look(adapter);
  if (found instanceof Promise && adapter.inOrder !== "all")
    lanesOf(order).track(key, false, found, context.timeout);
  return found;
}

/** The stored record, fresh or expired. Reads at once: the caller has its turn. */
export function readNow(
  { connection, timeout }: StoreContext,
  key: string,
  adapter: Adapter,
): MaybePromise<KvRecord | null> {
  const fail = (error: unknown): never => failWith(connection, error, "reading", key);
  try {
    const found = adapter.get(key);
    return found instanceof Promise ? within(found, timeout, connection).catch(fail) : found;
  } catch (error) {
    return fail(error);
  }
}

/** The record if it is fresh. An expired record is removed from the client. */
export function dropIfExpired(
  context: StoreContext,
  key: string,
  record: KvRecord | null,
): MaybePromise<KvRecord | null> {
  return record === null || record.expires === null || record.expires > Date.now()
    ? record
    : dropRecord(context, key, record);
}

/** Removes an expired record. Resolves to `null`, the answer to its reader. */
export async function dropRecord(
  context: StoreContext,
  key: string,
  record: KvRecord,
): Promise<null> {
  const { connection, timeout } = context;
  // The record counts as absent also when the client fails to delete it: the next reader tries
  // again.
  await evictFrom(connection, orderIn(context), timeout, key, record).catch(() => {});
  return null;
}

/** `store.get()` */
export async function getValue(context: StoreContext, key: string): Promise<unknown> {
  const full = locate(context, key);
  const found = readRecord(context, full);
  const record = found instanceof Promise ? await found : found;
  return record && decode(context, record.value, full);
}

/** `store.has()` */
export async function hasValue(context: StoreContext, key: string): Promise<boolean> {
  const { connection, timeout } = context;
  const full = locate(context, key);
  const look = (adapter: Adapter): MaybePromise<KvRecord | boolean | null> => {
    if (adapter.has === undefined) return readNow(context, full, adapter);
    const found = adapter.has(full, Date.now());
    return found instanceof Promise ? within(found, timeout, connection) : found;
  };
  try {
    const looked = lookUp(context, full, look);
    const found = looked instanceof Promise ? await looked : looked;
    return typeof found === "boolean"
      ? found
      : (await dropIfExpired(context, full, found)) !== null;
  } catch (error) {
    return isKvError(error, "KV_FOREIGN") ? false : failWith(connection, error, "reading", full);
  }
}
