import { isKvError } from "../../errors.ts";
import type { KvRecord } from "../../record/types.ts";
import type { Guarded } from "../guarded.ts";

/** A key and its record; `"foreign"` for an item that this library did not write. */
interface Read {
  readonly key: string;
  readonly record: KvRecord | "foreign" | null;
}

/** Reads keys at once, or one by one where one of them cannot be read. */
export async function readRecords(adapter: Guarded, keys: readonly string[]): Promise<Read[]> {
  if (adapter.getMany !== undefined) {
    try {
      const records = await adapter.getMany(keys);
      return keys.map((key, i) => ({ key, record: records[i] ?? null }));
    } catch (error) {
      if (!isKvError(error, "KV_FOREIGN")) throw error;
    }
  }
  return Promise.all(keys.map((key) => readRecord(adapter, key)));
}

async function readRecord(adapter: Guarded, key: string): Promise<Read> {
  const read = async (): Promise<KvRecord | null> => adapter.get(key);
  try {
    return { key, record: await adapter.wait(read(), () => 0) };
  } catch (error) {
    if (isKvError(error, "KV_FOREIGN")) return { key, record: "foreign" };
    throw error;
  }
}
