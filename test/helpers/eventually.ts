import { expect } from "vitest";

/** Asks again and again, for as long as a test may take on a busy machine. */
export function eventually<T>(ask: () => T): ReturnType<typeof expect.poll<T>> {
  return expect.poll(ask, { timeout: 15_000 });
}
