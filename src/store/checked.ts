import type { SetOptions } from "../api.ts";
import { decodeValue, encodeValue } from "./coded.ts";
import type { StoreContext } from "./context.ts";
import { deadline } from "../expires.ts";
import { failWith } from "./failure.ts";
import { checkPrefix, fullKey } from "../prefix.ts";
import { checkWriteOptions } from "../platform/options.ts";
import { StoredRecord } from "../record/record.ts";
import type { Json } from "../types.ts";
import { checkedCopy } from "../record/json-fault.ts";

// Arguments and stored values are checked here, without the client. An operation checks all of its
// arguments before it calls the client.

/** The full key. `inner` is the prefix that came as an option. */
export function locate({ connection, prefix }: StoreContext, key: unknown, inner = ""): string {
  try {
    return fullKey(
      inner === "" ? prefix : prefix + checkPrefix(inner),
      key,
      connection.source.supports.keyBytes,
    );
  } catch (error) {
    return failWith(connection, error, "listing", key);
  }
}

/** The record to write, `null` to delete. Its value is a copy of the caller's. */
export function recordOf(
  context: StoreContext,
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
    const record = new StoredRecord(encodeValue(context.codec, value), at, version, metadata);
    if (options?.expires === undefined) context.undated?.add(record);
    return record;
  } catch (error) {
    return failWith(context.connection, error, "writing", key);
  }
}

/** The value of a stored record. */
export function decode({ connection, codec }: StoreContext, value: Json, key: string): never {
  try {
    return decodeValue(codec, value, key) as never;
  } catch (error) {
    return failWith(connection, error, "listing");
  }
}
