import path from "node:path";
import { line } from "./race.ts";
import { numbersOf, spread } from "./processes.ts";
import { server } from "./redis.ts";

const PROCESSES = 5;
const script = path.join(import.meta.dirname, "with-process.ts");

/** The same Express app with this package and with the packages for Redis alone. */
export async function integrations(): Promise<void> {
  const { url, end } = await server();
  const runs: { [name: string]: number }[] = [];
  for (let i = 0; i < PROCESSES; i++)
    runs.push(await numbersOf(["--disable-warning=ExperimentalWarning", script, url]));
  end();
  const found = spread(runs);
  for (const [name, other] of [
    ["session, read", "connect-redis"],
    ["session, saved", "connect-redis"],
    ["limit, many clients", "rate-limit-redis"],
    ["limit, one client", "rate-limit-redis"],
  ] as const) {
    const [ratio, range] = found.get(name)!;
    const commands = [`${name}, commands`, `${name}, commands of the other`].map(
      (each) => found.get(each)![0],
    );
    const detail = `${range}; commands ${commands.join(" and ")}`;
    line(`${name}: requests per second, ${other}`, ratio, "at least 1", ratio >= 1, detail);
  }
}
