import { KvError } from "../../errors.ts";
import { StoredRecord } from "../../record/record.ts";
import type { KvRecord, Write } from "../../record/types.ts";
import { utf8Length } from "../../record/utf8.ts";
import { decodeRecord, encodeRecord, foreign } from "../../record/text-format.ts";
import { randomPause } from "../../concurrency/retry.ts";

/** A part of a key. */
export type DenoKeyPart = Uint8Array | string | number | bigint | boolean;
export type DenoKey = readonly DenoKeyPart[];

/** The entry under a key; an absent one has no versionstamp. */
export interface DenoEntry {
  /** Symbols are among the parts of keys by their type alone. */
  readonly key: readonly (DenoKeyPart | symbol)[];
  readonly value: unknown;
  readonly versionstamp: string | null;
}

/** The part of an atomic operation that is used. */
export interface DenoAtomic {
  check(check: { key: DenoKey; versionstamp: string | null }): unknown;
  set(key: DenoKey, value: unknown, options?: { expireIn?: number }): unknown;
  delete(key: DenoKey): unknown;
  commit(): Promise<{ ok: true; versionstamp: string } | { ok: false }>;
}

// The size of one atomic operation, well below the limits of Deno (1,000 changes, 819,200 and
// 81,920 bytes): keys count twice, and each change has an overhead.
const MOST_CHECKS = 100;
const MOST_WRITES = 1000;
const MOST_BYTES = 800_000;
const MOST_KEY_BYTES = 80_000;
const LONGEST_VALUE = 64 * 1024;
// The clock of the server may be ahead of this one: until then the record's own deadline decides.
const LATER_MS = 10_000;
// More than the years that a date can have makes the server overflow.
const LONGEST_MS = 2.5e14;

/**
 * The last part of a key. @deno/kv loses a U+FEFF in front (a byte order mark, it thinks), so that
 * is written as U+FEFE and a one, and U+FEFE as itself and a zero: the order stays the same, and a
 * prefix of the key is one of the part.
 */
export function encodeKeyPart(key: string): string {
  return key.replace(/^[\ufefe\ufeff]/, (char) => (char === "\ufeff" ? "\ufefe1" : "\ufefe0"));
}

/** The key that is written as such a part; `null` for parts of others. */
export function keyOfPart(part: DenoKeyPart | symbol): string | null {
  if (typeof part !== "string") return null;
  const key = part.replace(/^\ufefe[01]/, (chars) => (chars[1] === "0" ? "\ufefe" : "\ufeff"));
  return encodeKeyPart(key) === part ? key : null;
}

/** A change as Deno takes it. */
export interface DenoWrite {
  readonly key: DenoKey;
  /**
   * The text form in UTF-8; `null` deletes. Bytes are kept as they are by every kind of database,
   * and need no more room than they have.
   */
  readonly value: Uint8Array | null;
  readonly expireIn: number | undefined;
}

/** @throws {KvError} KV_TOO_LARGE for a record of more than 64 KiB. */
export function toWrite(key: DenoKey, { key: name, record }: Write): DenoWrite {
  if (record === null) return { key, value: null, expireIn: undefined };
  const value = new TextEncoder().encode(encodeRecord(record));
  if (value.length > LONGEST_VALUE)
    throw new KvError(
      "KV_TOO_LARGE",
      `the record has ${value.length} bytes: Deno KV takes up to ${LONGEST_VALUE}`,
      { key: name },
    );
  const expireIn =
    record.expires === null
      ? undefined
      : Math.min(LONGEST_MS, Math.max(0, record.expires - Date.now()) + LATER_MS);
  return { key, value, expireIn };
}

/** Adds a change to an operation. */
export function add(atomic: DenoAtomic, { key, value, expireIn }: DenoWrite): void {
  if (value === null) atomic.delete(key);
  else atomic.set(key, value, expireIn === undefined ? undefined : { expireIn });
}

const partBytes = (part: DenoKeyPart): number => {
  if (typeof part === "string") return utf8Length(part) + (part.match(/\0/g)?.length ?? 0) + 2;
  if (part instanceof Uint8Array) return part.length + part.filter((byte) => byte === 0).length + 2;
  return typeof part === "bigint" ? part.toString(16).length / 2 + 4 : 9;
};

/** How many bytes a key takes, encoded. */
export function keyBytes(key: DenoKey): number {
  return Math.ceil(key.reduce<number>((sum, part) => sum + partBytes(part), 0));
}

/** Changes in as few groups as fit into atomic operations. */
export function grouped(writes: readonly DenoWrite[]): DenoWrite[][] {
  const groups: DenoWrite[][] = [];
  let [bytes, keys] = [Infinity, 0];
  for (const write of writes) {
    const size = keyBytes(write.key);
    const added = 2 * size + (write.value?.length ?? 0) + 16;
    if (
      bytes + added > MOST_BYTES ||
      keys + size > MOST_KEY_BYTES ||
      groups.at(-1)!.length >= MOST_WRITES
    ) {
      groups.push([]);
      [bytes, keys] = [0, 0];
    }
    groups.at(-1)!.push(write);
    bytes += added;
    keys += size;
  }
  return groups;
}

/** @throws {KvError} KV_TOO_LARGE for a commit that is more than one atomic operation. */
export function checkCommit(checks: number, writes: readonly DenoWrite[]): void {
  if (checks > MOST_CHECKS)
    throw new KvError(
      "KV_TOO_LARGE",
      `a commit with ${checks} checks: Deno KV takes up to ${MOST_CHECKS}, in Node up to 10`,
    );
  if (grouped(writes).length > 1)
    throw new KvError(
      "KV_TOO_LARGE",
      `a commit of this size is more than Deno KV takes at once: ${MOST_WRITES} writes of ` +
        `${MOST_BYTES} bytes together`,
    );
}

/**
 * The record in an entry, its version the versionstamp; `null` for no entry and for a foreign one.
 * With `values` false only the head is read.
 */
export function entryRecord(
  { value, versionstamp }: DenoEntry,
  key: string,
  values: boolean,
): StoredRecord | null {
  if (!(value instanceof Uint8Array)) return null;
  // The head is at the beginning, and its metadata is not needed then.
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(
    values ? value : value.subarray(0, 128),
  );
  const record = decodeRecord(text, key, values);
  return record && new StoredRecord(record.value, record.expires, versionstamp, record.metadata);
}

/** @throws {KvError} KV_FOREIGN for a foreign entry. */
export function ownRecordOf(entry: DenoEntry, key: string, values = true): KvRecord | null {
  const record = entryRecord(entry, key, values);
  if (record === null && entry.versionstamp !== null) throw foreign(key);
  return record;
}

/** An error of Deno about a size as KV_TOO_LARGE, unchanged otherwise. */
function translated(error: unknown, key?: string): unknown {
  const message = String((error as Partial<Error> | null)?.message);
  if (/^Too ?Many/i.test(message))
    return new KvError("KV_TOO_LARGE", "the commit is more than this Deno KV takes at once", {
      cause: error,
    });
  const isSize = /^(?:Key|Value|Total \w+ size) ?too ?l(?:arge|ong)/i.test(message);
  return isSize
    ? new KvError("KV_TOO_LARGE", "the key or the record is larger than Deno KV takes", {
        key,
        cause: error,
      })
    : error;
}

// Another process has the file for a moment. Nothing was written then.
const isBusy = (error: unknown): boolean =>
  String((error as Partial<Error> | null)?.message).includes("database is locked");
const PATIENCE_MS = 3000;

/**
 * Does something, again and again while another process is in the way. @throws {KvError}
 * KV_TOO_LARGE for a value above the limit.
 */
export async function retryBusy<T>(work: () => Promise<T>, key?: string): Promise<T> {
  for (const end = performance.now() + PATIENCE_MS; ;) {
    try {
      return await work();
    } catch (error) {
      if (!isBusy(error) || performance.now() > end) throw translated(error, key);
    }
    await randomPause(20);
  }
}
