import process from "node:process";
import { fileURLToPath } from "node:url";
import { numbersOf, spread } from "./processes.ts";
import { line } from "./race.ts";
import { server } from "./redis.ts";

const PROCESSES = 10;
const GOALS: { readonly [name: string]: number } = {
  "memory: get of a small object, against polystore": 1,
  "memory: set of a small object, against polystore": 1,
  "memory: get of a string, against a bare async Map": 1.3,
  "memory: set of a string, against a bare async Map": 1.3,
  "memory: get of a string, against one that checks keys": 1.3,
  "memory: set of a string, against one that checks keys": 1.3,
  "redis: getMany(100), against MGET": 1.15,
  "redis: getMany(100), against MGET of the same records": 1.15,
  "redis: 1,000 sets at once, against SET": 1.15,
};

/** Ratios as medians of ten processes. Each process measures both sides in turn. */
export async function speed(): Promise<void> {
  const { url, end } = await server();
  process.env.REDIS_URL = url;
  const program = fileURLToPath(new URL("speed-process.ts", import.meta.url));
  const runs: { [name: string]: number }[] = [];
  try {
    for (let i = 0; i < PROCESSES; i++) runs.push(await numbersOf([...process.execArgv, program]));
  } finally {
    end();
  }
  for (const [name, [ratio, range]] of spread(runs)) {
    const goal = GOALS[name]!;
    line(name, ratio, `at most ${goal}`, ratio <= goal, range);
  }
}
