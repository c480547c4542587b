import type { SetOptions } from "../api.ts";
import { isMarked } from "./codec-mark.ts";
import type { StoreContext } from "./context.ts";
import { deadlineOf } from "../expires.ts";
import { isKey } from "../prefix.ts";
import { StoredRecord } from "../record/record.ts";
import { sweepAfter } from "./sweep-schedule.ts";
import { jsonCopy } from "../record/json.ts";
import type { KvRecord } from "../record/types.ts";
import type { QuickItems } from "../clients/adapter.ts";
import { stampFor } from "../record/version.ts";

// A client that answers at once needs no other code for its single keys, as long as nothing is
// wrong. Everything else is left to the operations, which also explain failures.

/** The client's items, when an operation on this key can be carried out at once. */
function itemsFor(
  { connection, prefix, codec, order }: StoreContext,
  key: unknown,
): QuickItems | null {
  const items = connection.quick ?? connection.openQuick();
  if (items === null || codec !== undefined || (order ?? connection.order).pending > 0) return null;
  return isKey(key, prefix, connection.source.supports.keyBytes) ? items : null;
}

function hasOnlyExpires(options: unknown): boolean {
  if (
    typeof options !== "object" ||
    options === null ||
    Object.getPrototypeOf(options) !== Object.prototype
  )
    return false;
  const names = Object.keys(options);
  return names.length === 0 || (names.length === 1 && names[0] === "expires");
}

/** The fresh record, or `null`; `undefined` when the operations have to read it. */
export function quickRead(context: StoreContext, key: string): KvRecord | null | undefined {
  const items = itemsFor(context, key);
  if (items === null) return undefined;
  try {
    const record = items.get(context.prefix === "" ? key : context.prefix + key);
    return record === null || record.expires === null || record.expires > Date.now()
      ? record
      : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Writes a value; `null` deletes. Returns whether it could, or a promise when a sweep is due after
 * it.
 */
export function quickWrite(
  context: StoreContext,
  key: string,
  value: unknown,
  options: SetOptions | undefined,
): Promise<void> | boolean {
  const items = itemsFor(context, key);
  if (items === null || (options !== undefined && !hasOnlyExpires(options))) return false;
  const { connection, prefix } = context;
  const expires = options?.expires === undefined ? context.expires : options.expires;
  const now = expires === null ? 0 : Date.now();
  const at = expires === null ? null : deadlineOf(expires, now);
  const json = typeof value === "string" ? value : jsonCopy(value);
  if (json === undefined || Number.isNaN(at) || (typeof json === "object" && isMarked(json)))
    return false;
  const full = prefix === "" ? key : prefix + key;
  try {
    if (json === null || (at !== null && at <= now)) items.del(full);
    else items.set(full, new StoredRecord(json, at, stampFor(connection.source), null));
  } catch {
    return false;
  }
  return sweepAfter(context, 1) ?? true;
}
