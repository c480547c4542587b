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
  return lookUp(
    context,
    key,
    (adapter) => begun(context, adapter.get(key)),
    (record) => dropIfExpired(context, key, record),
  );
}

/**
 * Looks at one key in call order, and uses what it finds. This makes one promise, and costs little
 * while no other call is pending.
 */
function lookUp<T, R>(
  context: StoreContext,
  key: string,
  look: (adapter: Adapter) => MaybePromise<T>,
  use: (found: T) => MaybePromise<R>,
): MaybePromise<R> {
  const { connection, timeout } = context;
  const fail = (error: unknown): never => failWith(connection, error, "reading", key);
  try {
    const { adapter } = connection;
    const order = orderIn(context);
    if (adapter === null || order.pending > 0) {
      const found = inOrder(context, { read: [key] }, look, 1, "item");
      return found instanceof Promise ? found.then(use, fail) : use(found);
    }
    const found = look(adapter);
    if (!(found instanceof Promise)) return use(found);
    if (adapter.inOrder === "all") return found.then(use, fail);
    const lanes = lanesOf(order);
    const turn = lanes.track(key, false, timeout);
    return found.then(
      (value) => {
        lanes.end(turn);
        return use(value);
      },
      (error) => {
        lanes.end(turn, error);
        return fail(error);
      },
    );
  } catch (error) {
    return fail(error);
  }
}

/** A request that has begun: it has to be answered in time. */
const begun = <T>(
  { connection, timeout }: StoreContext,
  request: MaybePromise<T>,
): MaybePromise<T> => (request instanceof Promise ? within(request, timeout, connection) : request);

/** The stored record, fresh or expired. Reads at once: the caller has its turn. */
export function readNow(
  context: StoreContext,
  key: string,
  adapter: Adapter,
): MaybePromise<KvRecord | null> {
  const fail = (error: unknown): never => failWith(context.connection, error, "reading", key);
  try {
    const found = begun(context, adapter.get(key));
    return found instanceof Promise ? found.catch(fail) : found;
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
  const full = locate(context, key);
  try {
    return await lookUp<KvRecord | boolean | null, boolean>(
      context,
      full,
      (adapter) => begun(context, adapter.has?.(full, Date.now()) ?? adapter.get(full)),
      (found) => (typeof found === "boolean" ? found : isThere(context, full, found)),
    );
  } catch (error) {
    if (isKvError(error, "KV_FOREIGN")) return false;
    throw error;
  }
}

function isThere(
  context: StoreContext,
  key: string,
  record: KvRecord | null,
): MaybePromise<boolean> {
  const fresh = dropIfExpired(context, key, record);
  return fresh instanceof Promise ? fresh.then((left) => left !== null) : fresh !== null;
}
