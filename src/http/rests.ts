import { unref } from "../platform/unref.ts";
/** Waits between two steps of long work, which leaves the processor to others. */
export type Rest = () => Promise<void>;

/** How long work that a client waits for runs at once, in milliseconds. */
const AT_ONCE = 5;
/** Work in the background takes one part of the time, and leaves nine to others. */
const SHARE = 9;
/** The shortest rest of work in the background, in milliseconds. */
const SHORTEST = 5;

const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    // Work in the background does not keep a program alive.
    unref(timer);
  });

/** Lets others run every few milliseconds: for work that a client waits for. */
export function shortRests(): Rest {
  let began = performance.now();
  return async () => {
    if (performance.now() - began < AT_ONCE) return;
    await pause(0);
    began = performance.now();
  };
}

/** Rests most of the time: for work in the background. */
export function longRests(): Rest {
  let began = performance.now();
  return async () => {
    await pause(Math.max(SHORTEST, (performance.now() - began) * SHARE));
    began = performance.now();
  };
}
