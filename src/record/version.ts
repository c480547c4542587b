import type { Supports } from "../types.ts";
import type { KvRecord } from "./types.ts";

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
