import type { Store } from "../api.ts";

/** The first and the longest pause between two looks, in milliseconds. */
const [FIRST_PAUSE, LONGEST_PAUSE] = [10, 250];

/** When to look again at the latest. */
export interface WaitOptions {
  /** How often this caller has waited before. */
  readonly attempt: number;
  /** Milliseconds since 1970. */
  readonly until: number;
  readonly signal: AbortSignal;
}

/**
 * Resolves when a key may have changed. The pauses grow, and are random, so that processes that
 * wait together do not look together.
 */
export async function untilChanged(
  _store: Store,
  _key: string,
  { attempt, until, signal }: WaitOptions,
): Promise<void> {
  const longest = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 1.5 ** attempt);
  const left = Math.max(1, until - Date.now());
  const pause = Math.min(left, longest * (0.5 + Math.random() / 2));
  await new Promise<void>((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, pause);
    signal.addEventListener("abort", end);
  });
}
