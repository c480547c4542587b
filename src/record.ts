import { KvError } from "./errors.ts";
import type { Json, KvRecord, Supports } from "./types.ts";

/**
 * A record as this library makes it. It is never changed after it was made; the class is how the
 * memory client tells records from what somebody else put into its Map.
 */
export class StoredRecord implements KvRecord {
  readonly value: Json;
  readonly expires: number | null;
  readonly version: string | number | null;
  readonly metadata: Json;

  constructor(
    value: Json,
    expires: number | null,
    version: string | number | null,
    metadata: Json,
  ) {
    this.value = value;
    this.expires = expires;
    this.version = version;
    this.metadata = metadata;
  }
}

// A stamp counts from the first one of this process: 2,048 a millisecond, so that both it and the
// version fit a double until the year 2109, and stamps made without the clock stay small integers,
// which cost nothing to keep.
const COUNTS_PER_MS = 2048;
let origin: { at: number; id: string } | undefined;
let lastStamp = 0;

// Not before it is needed: edge workers have neither a clock nor random numbers while they load.
function start(): { at: number; id: string } {
  const [random] = crypto.getRandomValues(new Uint32Array(1));
  return (origin = {
    at: Date.now() * COUNTS_PER_MS,
    id: random!.toString(16).padStart(8, "0").slice(2),
  });
}

/** Versions that are further ahead of this machine's clock are not counted on from: one day. */
const MAX_AHEAD_MS = 86_400_000;

let highest = "";

/**
 * Makes later stamps of this process larger than a version that was read, also when the clock was
 * set back since it was written. A version more than a day ahead of the clock is ignored: a damaged
 * record must not move the clock of every process that reads it.
 */
export function observe(version: string): void {
  if (version > highest) advanceTo(version);
}

function advanceTo(version: string): void {
  const counts = Number.parseInt(version.slice(0, 14), 16);
  if (counts > (Date.now() + MAX_AHEAD_MS) * COUNTS_PER_MS) return;
  highest = version;
  lastStamp = Math.max(lastStamp, counts - (origin ?? start()).at);
}

/**
 * The next stamp: larger than all before in this process and than all that it has read, and
 * time-ordered across processes whose clocks agree.
 */
export function timedStamp(): number {
  return (lastStamp = Math.max(lastStamp + 1, Date.now() * COUNTS_PER_MS - (origin ?? start()).at));
}

/** The next stamp, without a look at the clock: for clients that do not outlive the process. */
export function nextStamp(): number {
  return ++lastStamp;
}

/**
 * A fresh version. Only data that outlives the process needs versions that are ordered across
 * processes.
 */
export const stampFor = ({ supports }: { readonly supports: Supports }): string | number =>
  supports.persistent ? formatVersion(timedStamp()) : nextStamp();

/**
 * The 20 lower-case hexadecimal digits of a stamp: 14 for the stamp, 6 that tell this process from
 * others.
 */
export function formatVersion(stamp: number): string {
  const { at, id } = origin ?? start();
  return (at + stamp).toString(16).padStart(14, "0") + id;
}

/** The version of a record as users see it; `null` for clients that keep none. */
export function versionOf(record: KvRecord): string | null {
  return typeof record.version === "number" ? formatVersion(record.version) : record.version;
}

/** Whether a record is there at the moment `now`: present, and its deadline not reached. */
export function isFresh(record: KvRecord | null, now: number): record is KvRecord {
  return record !== null && (record.expires === null || record.expires > now);
}

/**
 * The error for an item that this library did not write.
 * See {@link KvError}, code KV_FOREIGN.
 */
export function foreign(key: string): KvError {
  return new KvError(
    "KV_FOREIGN",
    `the item under ${JSON.stringify(key)} was not written by this library: set() replaces it, del() removes it`,
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
  return `{"kv":1,"version":"${versionOf(record)}","expires":${String(record.expires).padEnd(width)}${metadata},"value":${JSON.stringify(record.value)}}`;
}

/**
 * The record in a text; `null` when the text is not one of ours.
 * With `values` false only the head is read: value and metadata are `null`.
 *
 * @throws {KvError} KV_CORRUPT when the text starts like one of ours and cannot be read.
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
