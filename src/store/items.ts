import type { SetOptions } from "../api.ts";
import { decodeValue, encodeValue } from "./coded.ts";
import type { StoreContext, StoreCore } from "./context.ts";
import { isKvError } from "../errors.ts";
import { deadline } from "../expires.ts";
import { failWith } from "./failure.ts";
import { checkPrefix, fullKey } from "../prefix.ts";
import { lanesOf } from "../concurrency/lanes.ts";
import { checkWriteOptions } from "../platform/options.ts";
import type { Order } from "../concurrency/order.ts";
import { within } from "../concurrency/timeout.ts";
import { inOrder, orderIn } from "./perform.ts";
import { StoredRecord } from "../record/record.ts";
import { evictFrom } from "./sweep.ts";
import { sweepAfter } from "./sweep-schedule.ts";
import type { Json, MaybePromise } from "../types.ts";
import { checkedCopy } from "../record/json-fault.ts";
import type { KvRecord } from "../record/types.ts";
import type { Adapter } from "../clients/adapter.ts";
import { stampFor } from "../record/version.ts";

/** The operations of a store on single keys, on every client. */
export function itemsOf(context: StoreContext): StoreCore {
  const { connection, prefix, codec, timeout } = context;

  const refuse = (error: unknown, key?: unknown, action = "listing"): never => {
    return failWith(connection, error, action, typeof key === "string" ? key : undefined);
  };

  // The checks that need no client: all of them are made before a client is touched.

  function locate(key: unknown, inner = ""): string {
    try {
      return fullKey(
        inner === "" ? prefix : prefix + checkPrefix(inner),
        key,
        connection.source.supports.keyBytes,
      );
    } catch (error) {
      return refuse(error, key);
    }
  }

  function recordOf(
    key: string,
    value: unknown,
    options: SetOptions | undefined,
    version: string | number,
  ): StoredRecord | null {
    try {
      checkWriteOptions(options);
      const expires = options?.expires === undefined ? context.expires : options.expires;
      const now = expires === null ? 0 : Date.now();
      const at = expires === null ? null : deadline(expires, now);
      const metadata =
        options?.metadata === undefined ? null : checkedCopy(options.metadata, "metadata");
      if (value === null || value === undefined || (at !== null && at <= now)) return null;
      const record = new StoredRecord(encodeValue(codec, value), at, version, metadata);
      if (options?.expires === undefined) context.undated?.add(record);
      return record;
    } catch (error) {
      return refuse(error, key, "writing");
    }
  }

  function decode(value: Json, key: string): never {
    try {
      return decodeValue(codec, value, key) as never;
    } catch (error) {
      return refuse(error);
    }
  }

  const stamp = (): string | number => stampFor(connection.source);

  async function expired(key: string, record: KvRecord): Promise<null> {
    // The reader is told the truth either way; a client that refuses to delete is asked again by
    // the next reader.
    await evictFrom(connection, order(), timeout, key, record).catch(() => {});
    return null;
  }

  const wrote = (count: number): Promise<void> | undefined => sweepAfter(context, count);

  // Operations take effect in call order. Single reads and writes keep it without any cost while
  // nothing is pending.

  const order = (): Order => orderIn(context);
  const perform: StoreCore["perform"] = (scope, work, times, calls) =>
    inOrder(context, scope, work, times, calls);

  // Both answer with a promise only for what takes time, so that a client that answers at once
  // costs a single one.

  function read(key: string): MaybePromise<KvRecord | null> {
    const { adapter } = connection;
    const isFree = adapter !== null && order().pending === 0;
    const found = isFree
      ? readNow(key, adapter)
      : perform({ read: [key] }, (opened) => readNow(key, opened), 1, "item");
    if (!(found instanceof Promise)) return dropIfExpired(key, found);
    if (isFree && adapter.inOrder !== "all") lanesOf(order()).track(key, false, found, timeout);
    return found.then((record) => dropIfExpired(key, record));
  }

  function readNow(key: string, adapter: Adapter): MaybePromise<KvRecord | null> {
    try {
      const found = adapter.get(key);
      return found instanceof Promise
        ? within(found, timeout, connection).catch((error) => refuse(error, key, "reading"))
        : found;
    } catch (error) {
      return refuse(error, key, "reading");
    }
  }

  function dropIfExpired(key: string, record: KvRecord | null): MaybePromise<KvRecord | null> {
    return record === null || record.expires === null || record.expires > Date.now()
      ? record
      : expired(key, record);
  }

  async function get(key: string): Promise<unknown> {
    const full = locate(key);
    const found = read(full);
    const record = found instanceof Promise ? await found : found;
    return record && decode(record.value, full);
  }

  function hasNow(key: string, adapter: Adapter): MaybePromise<boolean> {
    const found = adapter.has!(key, Date.now());
    return found instanceof Promise ? within(found, timeout, connection) : found;
  }

  async function has(key: string): Promise<boolean> {
    const full = locate(key);
    try {
      const { adapter } = connection;
      const isFree = adapter !== null && order().pending === 0;
      const look = (opened: Adapter): MaybePromise<KvRecord | boolean | null> =>
        opened.has === undefined ? readNow(full, opened) : hasNow(full, opened);
      const looked = isFree ? look(adapter) : perform({ read: [full] }, look, 1, "item");
      if (isFree && looked instanceof Promise && adapter.inOrder !== "all")
        lanesOf(order()).track(full, false, looked, timeout);
      const found = looked instanceof Promise ? await looked : looked;
      return typeof found === "boolean" ? found : (await dropIfExpired(full, found)) !== null;
    } catch (error) {
      return isKvError(error, "KV_FOREIGN") ? false : refuse(error, full, "reading");
    }
  }

  function writeNow(
    key: string,
    record: KvRecord | null,
    adapter: Adapter,
  ): Promise<void> | undefined {
    const done = record === null ? adapter.del(key) : adapter.set(key, record);
    return done instanceof Promise ? within(done, timeout, connection) : undefined;
  }

  function writeInTurn(
    key: string,
    record: KvRecord | null,
    adapter: Adapter,
  ): Promise<void> | undefined {
    try {
      return writeNow(key, record, adapter)?.catch((error) => refuse(error, key, "writing"));
    } catch (error) {
      return refuse(error, key, "writing");
    }
  }

  function put(key: string, record: KvRecord | null): Promise<void> | undefined {
    try {
      const { adapter } = connection;
      const isFree = adapter !== null && order().pending === 0;
      const done = isFree
        ? writeNow(key, record, adapter)
        : perform<void>({ write: [key] }, (opened) => writeNow(key, record, opened), 1, "item");
      if (!(done instanceof Promise)) return wrote(1);
      if (isFree && adapter.inOrder !== "all")
        lanesOf(order()).track(key, true, done, timeout, adapter.inOrder === "writes");
      return done.then(
        () => wrote(1),
        (error) => refuse(error, key, "writing"),
      );
    } catch (error) {
      return refuse(error, key, "writing");
    }
  }

  async function set(key: string, value: unknown, options?: SetOptions): Promise<string> {
    const full = locate(key, options?.prefix);
    const pending = put(full, recordOf(full, value, options, stamp()));
    if (pending !== undefined) await pending;
    return key;
  }

  async function del(key: string): Promise<string> {
    const full = locate(key);
    await put(full, null);
    return key;
  }

  return {
    ...context,
    get,
    set,
    has,
    del,
    refuse,
    locate,
    recordOf,
    decode,
    stamp,
    expired,
    wrote,
    readNow,
    read,
    writeNow: writeInTurn,
    perform,
    order,
  };
}
