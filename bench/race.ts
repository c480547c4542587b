/** One contender: a round of work, and what has to be done before and after it. */
export interface Contender {
  round(): unknown;
  before?(): unknown;
}

/** The middle one of some numbers. */
export const median = (numbers: readonly number[]): number =>
  [...numbers].sort((a, b) => a - b)[numbers.length >> 1]!;

/**
 * Lets all contenders run their rounds in turn, so that a slow moment of the machine meets each of
 * them, and gives the median milliseconds of a round.
 */
export async function race<Name extends string>(
  contenders: Record<Name, Contender>,
  rounds = 9,
): Promise<Record<Name, number>> {
  const names = Object.keys(contenders) as Name[];
  const times = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<
    Name,
    number[]
  >;
  // The first round of each warms up.
  for (let round = -1; round < rounds; round++) {
    for (const name of names) {
      await contenders[name].before?.();
      const start = performance.now();
      await contenders[name].round();
      if (round >= 0) times[name].push(performance.now() - start);
    }
  }
  return Object.fromEntries(names.map((name) => [name, median(times[name])])) as Record<
    Name,
    number
  >;
}

/** A line of the report: what was measured, the ratio, and what it should be. */
export function line(
  what: string,
  ratio: number,
  goal: string,
  met: boolean,
  detail: string,
): void {
  console.log(
    `${met ? "ok  " : "MISS"}  ${what.padEnd(52)} ${ratio.toFixed(2).padStart(7)} ×   ` +
      `${goal.padEnd(22)} ${detail}`,
  );
}

/** Microseconds of one operation. */
export const micros = (ms: number, operations: number): string =>
  `${((ms / operations) * 1000).toFixed(2)} µs`;
