import { execFile } from "node:child_process";
import process from "node:process";
import { promisify } from "node:util";
import { median } from "./race.ts";

/** Runs a program in a fresh process. Resolves to the numbers that it prints as JSON. */
export async function numbersOf(args: readonly string[]): Promise<{ [name: string]: number }> {
  const { stdout } = await promisify(execFile)(process.execPath, [...args]);
  return JSON.parse(stdout) as { [name: string]: number };
}

/** The median of each number over several processes, and its lowest and highest value. */
export function spread(
  runs: readonly { [name: string]: number }[],
): Map<string, [median: number, range: string]> {
  const names = Object.keys(runs[0] ?? {});
  const spreadOf = (name: string): [number, string] => {
    const numbers = runs.map((run) => run[name]!);
    const range = [Math.min(...numbers), Math.max(...numbers)].map((each) => each.toFixed(2));
    return [median(numbers), `${range.join(" to ")} in ${numbers.length} processes`];
  };
  return new Map(names.map((name) => [name, spreadOf(name)]));
}
