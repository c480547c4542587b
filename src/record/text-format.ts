import { StoredRecord } from "./record.ts";
import { KvError } from "../errors.ts";
import type { Json } from "../types.ts";
import type { KvRecord } from "./types.ts";
import { observe, versionOf } from "./version.ts";

/**
 * The record in a stored text; `null` for nothing. With `values` false only its head is read.
 *
 * @throws {KvError} KV_FOREIGN for anything that this library did not write, KV_CORRUPT for a
 * damaged record.
 */
export function recordIn(item: unknown, key: string, values = true): StoredRecord | null {
  if (item === null || item === undefined) return null;
  const record = typeof item === "string" ? decodeRecord(item, key, values) : null;
  if (record === null) throw foreign(key);
  return record;
}

/**
 * The error for an item that this library did not write.
 * See {@link KvError}, code KV_FOREIGN.
 */
export function foreign(key: string): KvError {
  return new KvError(
    "KV_FOREIGN",
    `the item under ${JSON.stringify(key)} was not written by this library: set() replaces it, ` +
      "del() removes it",
    { key },
  );
}

// The text form, documented in docs/format.md. The value comes last, so that the head is read
// without parsing it.
const HEAD = /^\{"kv":1,"version":"([0-9a-f]{20})","expires":(null|-?\d+) *,"(?:metadata|value)":/;

/**
 * A record as one JSON text: the form that clients of texts keep. The deadline is padded with
 * spaces to a width, for clients that change it in place.
 */
export function encodeRecord(record: KvRecord, width = 0): string {
  const metadata = record.metadata === null ? "" : `,"metadata":${JSON.stringify(record.metadata)}`;
  const expires = String(record.expires).padEnd(width);
  const head = `{"kv":1,"version":"${versionOf(record)}","expires":${expires}`;
  return `${head}${metadata},"value":${JSON.stringify(record.value)}}`;
}

/**
 * The record in a text; `null` when anykv did not write the text.
 * With `values` false only the head is read: value and metadata are `null`.
 *
 * @throws {KvError} KV_CORRUPT when the text starts like a record and cannot be read.
 */
export function decodeRecord(text: string, key: string, values = true): StoredRecord | null {
  const head = HEAD.exec(text);
  if (head === null) return null;
  const version = head[1]!;
  observe(version);
  const expires = head[2] === "null" ? null : Number(head[2]);
  if (!values) return new StoredRecord(null, expires, version, null);
  try {
    const { value, metadata = null } = JSON.parse(text) as { value: Json; metadata?: Json };
    if (value === undefined) throw new SyntaxError("no value");
    return new StoredRecord(value, expires, version, metadata);
  } catch {
    // Without the engine's own message, which shows some of the content.
    throw new KvError(
      "KV_CORRUPT",
      `the record under ${JSON.stringify(key)} is damaged: set() replaces it, del() removes it`,
      { key },
    );
  }
}
