import type { SetOptions } from "../api.ts";
import { decode, locate, recordOf } from "./checked.ts";
import type { StoreContext } from "./context.ts";
import { allowance, type Guarded } from "./guarded.ts";
import { lastOfEach, mapLimit, noList, toArray } from "./lists.ts";
import { performGuarded } from "./perform-guarded.ts";
import { checkWriteOptions } from "../platform/options.ts";
import { dropRecord, readNow } from "./read.ts";
import { sweepAfter } from "./sweep-schedule.ts";
import { isFresh } from "../record/freshness.ts";
import type { Write } from "../record/types.ts";
import { stampFor } from "../record/version.ts";
import { writeNow } from "./write.ts";

/** `store.getMany()` */
export async function getMany(context: StoreContext, keys: Iterable<string>): Promise<unknown[]> {
  const full = toArray(keys).map((key) => locate(context, key));
  const records = await performGuarded(
    context,
    { read: full },
    (adapter) => adapter.getMany?.(full) ?? mapLimit(full, (key) => readNow(context, key, adapter)),
    allowance(full),
  );
  const now = Date.now();
  const values: unknown[] = [];
  for (let i = 0; i < records.length; i++) {
    const record = records[i]!;
    if (record !== null && !isFresh(record, now))
      values.push(await dropRecord(context, full[i]!, record));
    else values.push(record && decode(context, record.value, full[i]!));
  }
  return values;
}

/** Writes several records at once: the caller has its turn. */
export async function writeManyNow(
  context: StoreContext,
  writes: readonly Write[],
  adapter: Guarded,
): Promise<void> {
  if (adapter.setMany !== undefined) return adapter.setMany(writes);
  await mapLimit(writes, ({ key, record }) => writeNow(context, key, record, adapter));
}

async function writeMany(context: StoreContext, writes: readonly Write[]): Promise<void> {
  await performGuarded(
    context,
    { write: writes.map(({ key }) => key) },
    (adapter) => writeManyNow(context, writes, adapter),
    allowance(writes),
    "one",
  );
  await sweepAfter(context, writes.length);
}

/** The options of one write, completed by the options for all writes. */
function mergeOptions(common: SetOptions | undefined, own: SetOptions): SetOptions {
  checkWriteOptions(common);
  checkWriteOptions(own);
  return {
    ...common,
    ...Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined)),
  };
}

/** `store.setMany()` */
export async function setMany(
  context: StoreContext,
  entries: Iterable<readonly [string, unknown, SetOptions?]>,
  options?: SetOptions,
): Promise<string[]> {
  const items = "pairs [key, value]";
  const pairs = toArray(entries, items);
  if (!pairs.every(Array.isArray)) throw noList(items);
  const { source } = context.connection;
  const writes = pairs.map(([key, value, own]) => {
    const merged = own === undefined ? options : mergeOptions(options, own);
    const full = locate(context, key, merged?.prefix);
    return { key: full, record: recordOf(context, full, value, merged, stampFor(source)) };
  });
  await writeMany(context, lastOfEach(writes));
  return pairs.map(([key]) => key);
}

/** `store.delMany()` */
export async function deleteMany(context: StoreContext, keys: Iterable<string>): Promise<string[]> {
  const list = toArray(keys);
  await writeMany(
    context,
    list.map((key) => ({ key: locate(context, key), record: null })),
  );
  return list;
}
