import { locate, recordOf } from "./checked.ts";
import type { StoreContext } from "./context.ts";
import { KvError } from "../errors.ts";
import type { Guarded } from "./guarded.ts";
import { writeManyNow } from "./many.ts";
import { performGuarded } from "./perform-guarded.ts";
import { readNow } from "./read.ts";
import { StoredRecord } from "../record/record.ts";
import { sweepAfter } from "./sweep-schedule.ts";
import type { Expires } from "../types.ts";
import { isFresh } from "../record/freshness.ts";
import { stampFor, versionOf } from "../record/version.ts";

/** `store.touch()` */
export async function touchKey(
  context: StoreContext,
  key: string,
  expires: Expires,
): Promise<boolean> {
  const full = locate(context, key);
  // `undefined` may be a mistake, and must not mean "never": null says that.
  if (expires === undefined)
    throw new KvError("KV_INVALID_EXPIRES", "touch() needs an expiry: null for never", {
      key: full,
    });
  const isThere = await performGuarded(context, { write: [full] }, (adapter) =>
    touchNow(context, full, expires, adapter),
  );
  await sweepAfter(context, 1);
  return isThere;
}

/** Moves the deadline. Tries again when another write comes between the read and the write. */
async function touchNow(
  context: StoreContext,
  key: string,
  expires: Expires,
  adapter: Guarded,
): Promise<boolean> {
  for (;;) {
    // The value is not known yet: this record has the deadline and the version alone.
    const target = recordOf(context, key, 0, { expires }, stampFor(context.connection.source));
    if (target !== null && adapter.touch !== undefined) return adapter.touch(key, target.expires);
    const record = await readNow(context, key, adapter);
    if (!isFresh(record, Date.now())) return false;
    const moved =
      target && new StoredRecord(record.value, target.expires, target.version, record.metadata);
    const write = { key, record: moved };
    if (adapter.commit === undefined) {
      await writeManyNow(context, [write], adapter);
      return true;
    }
    const check = { key, version: versionOf(record) };
    const { ok } = await adapter.commit([check], [write], Date.now());
    if (ok) return true;
  }
}
