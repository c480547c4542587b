// One scenario, step by step: what each part of a cache is good for. `npm run walkthrough`
//
// Ten processes read 1,000 keys, some far more often than others (Zipf). The origin takes 200 ms,
// fails 5 % of the time, and is down for a third of each step.
import { fork } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { server } from "./redis.ts";
import { type Measured, STEPS } from "./walkthrough-process.ts";

const PROCESSES = 10;
/** The seconds of a step. The origin is down in the middle third. */
const SECONDS = Number(process.env.WALKTHROUGH_SECONDS ?? 60);

const wanted = process.argv.slice(2);
const script = new URL("./walkthrough-process.ts", import.meta.url);

/** Runs a step in all processes, on an empty Redis. */
async function run(step: string): Promise<Measured[]> {
  const { url, end } = await server();
  const children = Array.from({ length: PROCESSES }, (_, i) =>
    fork(script, [step, url, String(SECONDS), String(i)], {
      execArgv: ["--disable-warning=ExperimentalWarning"],
    }),
  );
  try {
    await Promise.all(children.map((child) => once(child, "message")));
    const measured = children.map(async (child) => {
      const [message] = (await once(child, "message")) as [Measured];
      return message;
    });
    for (const child of children) child.send("go");
    return await Promise.all(measured);
  } finally {
    for (const child of children) child.kill("SIGKILL");
    end();
  }
}

const at = (sorted: readonly number[], share: number): string =>
  `${Math.round(sorted[Math.floor(sorted.length * share)] ?? NaN)} ms`;

console.log(`${PROCESSES} processes, ${SECONDS} s for each step\n`);
console.log("| step | reads | loads | p50 | p99 | errors |\n|---|---|---|---|---|---|");
for (const step of Object.keys(STEPS)) {
  if (wanted.length > 0 && !wanted.includes(step)) continue;
  const measured = await run(step);
  const times = measured.flatMap((each) => each.times).sort((a, b) => a - b);
  const sum = (name: "loads" | "errors"): number =>
    measured.reduce((total, each) => total + each[name], 0);
  const cells = [STEPS[step], times.length, sum("loads"), at(times, 0.5), at(times, 0.99)];
  console.log(`| ${[...cells, sum("errors")].join(" | ")} |`);
}
