import { expect } from "vitest";

/** Asks again and again, for as long as it may take on a busy machine. */
export function eventually<T>(ask: () => T): ReturnType<typeof expect.poll<T>> {
  return expect.poll(ask, { timeout: 60_000 });
}

/**
 * Does what has to be done before a deadline, with this many milliseconds until then.
 * On a machine that needs longer than that it is done again, with more time.
 */
export async function inTime(ms: number, act: (ms: number) => Promise<void>): Promise<void> {
  const end = Date.now() + ms;
  let error: unknown;
  try {
    await act(ms);
  } catch (thrown) {
    error = thrown;
  }
  if (Date.now() >= end) await inTime(ms * 3, act);
  else if (error !== undefined) throw error;
}
