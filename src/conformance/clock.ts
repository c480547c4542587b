/** The passing of time in a test. */
export interface Clock {
  /** Lets this many milliseconds pass. */
  advance(ms: number): Promise<void>;
  /** Whether time stands still between two calls of `advance`. */
  readonly frozen: boolean;
}

const realNow = Date.now;

/**
 * Runs the work with a clock. A fake one stands still and is moved by hand, so that moments are
 * exact and no test waits; clients whose server drops expired records by its own clock need the
 * real one.
 */
export async function withClock(
  kind: "fake" | "real",
  work: (clock: Clock) => Promise<void>,
): Promise<void> {
  if (kind === "real") {
    return work({
      frozen: false,
      advance: (ms) => new Promise((resolve) => setTimeout(resolve, ms + 2)),
    });
  }
  let now = realNow();
  Date.now = () => now;
  try {
    await work({
      frozen: true,
      advance: async (ms) => {
        now += ms;
      },
    });
  } finally {
    Date.now = realNow;
  }
}
