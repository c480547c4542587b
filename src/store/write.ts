import type { SetOptions } from "../api.ts";
import { locate, recordOf } from "./checked.ts";
import type { StoreContext } from "./context.ts";
import { failWith } from "./failure.ts";
import { lanesOf } from "../concurrency/lanes.ts";
import { within } from "../concurrency/timeout.ts";
import { inOrder, orderIn } from "./perform.ts";
import { sweepAfter } from "./sweep-schedule.ts";
import type { KvRecord } from "../record/types.ts";
import type { Adapter } from "../clients/adapter.ts";
import { stampFor } from "../record/version.ts";

/**
 * Writes a record, or deletes for `null`, in call order. This costs nothing while no other call is
 * pending. Returns a promise only when the write takes time.
 */
function writeRecord(
  context: StoreContext,
  key: string,
  record: KvRecord | null,
): Promise<void> | undefined {
  const { connection, timeout } = context;
  const fail = (error: unknown): never => failWith(connection, error, "writing", key);
  try {
    const { adapter } = connection;
    const order = orderIn(context);
    const isFree = adapter !== null && order.pending === 0;
    const write = (opened: Adapter): Promise<void> | undefined =>
      startWrite(context, key, record, opened);
    const done = isFree
      ? write(adapter)
      : inOrder<void>(context, { write: [key] }, write, 1, "item");
    if (!(done instanceof Promise)) return sweepAfter(context, 1);
    if (!isFree || adapter.inOrder === "all") return done.then(() => sweepAfter(context, 1), fail);
    const lanes = lanesOf(order);
    const turn = lanes.track(key, true, timeout, adapter.inOrder === "writes");
    return done.then(
      () => {
        lanes.end(turn);
        return sweepAfter(context, 1);
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

function startWrite(
  { connection, timeout }: StoreContext,
  key: string,
  record: KvRecord | null,
  adapter: Adapter,
): Promise<void> | undefined {
  const done = record === null ? adapter.del(key) : adapter.set(key, record);
  return done instanceof Promise ? within(done, timeout, connection) : undefined;
}

/** Writes a record, or deletes for `null`, at once: the caller has its turn. */
export function writeNow(
  context: StoreContext,
  key: string,
  record: KvRecord | null,
  adapter: Adapter,
): Promise<void> | undefined {
  const fail = (error: unknown): never => failWith(context.connection, error, "writing", key);
  try {
    return startWrite(context, key, record, adapter)?.catch(fail);
  } catch (error) {
    return fail(error);
  }
}

/** `store.set()` */
export async function setValue(
  context: StoreContext,
  key: string,
  value: unknown,
  options?: SetOptions,
): Promise<string> {
  const full = locate(context, key, options?.prefix);
  const record = recordOf(context, full, value, options, stampFor(context.connection.source));
  const pending = writeRecord(context, full, record);
  if (pending !== undefined) await pending;
  return key;
}

/** `store.del()` */
export async function deleteValue(context: StoreContext, key: string): Promise<string> {
  await writeRecord(context, locate(context, key), null);
  return key;
}
