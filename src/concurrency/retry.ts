/**
 * How long the loser of a race waits at most before it tries again, in milliseconds; it doubles
 * from 1.
 */
const LONGEST_PAUSE = 64;

/**
 * Does something until it answers with anything but `null`, with pauses by chance, so that those
 * who lost together do not meet again.
 */
export async function untilDone<T>(work: () => Promise<T | null>): Promise<T> {
  for (let pause = 1; ; pause = Math.min(pause * 2, LONGEST_PAUSE)) {
    const result = await work();
    if (result !== null) return result;
    await new Promise((resolve) => setTimeout(resolve, Math.random() * pause));
  }
}
