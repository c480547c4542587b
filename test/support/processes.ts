import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { afterAll } from "vitest";

const script = join(import.meta.dirname, "../programs/other-process.ts");
const running = new Set<ChildProcess>();

afterAll(() => {
  for (const child of running) child.kill("SIGKILL");
});

/** Starts `other-process.ts` with these arguments. */
export function start(...args: string[]): ChildProcess {
  return started(process.execPath, [script, ...args]);
}

function started(command: string, args: readonly string[]): ChildProcess {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
  running.add(child);
  child.on("exit", () => running.delete(child));
  return child;
}

/** Runs one to its end, and returns its output. @throws when it fails by itself. */
export async function run(...args: string[]): Promise<string> {
  return outputOf(start(...args));
}

/** The same in a process that cannot write files of more than 16 kB. */
export async function runLimited(...args: string[]): Promise<string> {
  return outputOf(limited("-f 16", args));
}

/** The same in a process that can open 64 files at once. */
export async function runWithFewFiles(...args: string[]): Promise<string> {
  return outputOf(limited("-n 64", args));
}

function limited(limit: string, args: readonly string[]): ChildProcess {
  return started("bash", [
    "-c",
    `ulimit ${limit}; exec "$0" "$@"`,
    process.execPath,
    script,
    ...args,
  ]);
}

async function outputOf(child: ChildProcess): Promise<string> {
  let output = "";
  child.stdout!.setEncoding("utf8").on("data", (text: string) => (output += text));
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== null && code !== 0)
    throw new Error(`${child.spawnargs.join(" ")} ended with ${code}`);
  return output;
}
