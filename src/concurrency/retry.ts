/** The longest pause before another attempt, in milliseconds. The first one takes up to 1. */
const LONGEST_PAUSE = 64;

/**
 * Waits for a random time of up to this many milliseconds. Processes that failed together do not
 * try again together.
 */
export const randomPause = (most: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, Math.random() * most));

/** Works until the result is not `null`, with growing random pauses. */
export async function untilDone<T>(work: () => Promise<T | null>): Promise<T> {
  for (let pause = 1; ; pause = Math.min(pause * 2, LONGEST_PAUSE)) {
    const result = await work();
    if (result !== null) return result;
    await randomPause(pause);
  }
}
