import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { CacheOptions } from "../../src/cache/index.ts";
import type { CacheAnswer, CacheCommand } from "../programs/cache-process.ts";

/** A command that a process was given. */
export interface Commanded {
  /** Whether its loader was called. */
  isLoading: boolean;
  readonly loading: Promise<void>;
  readonly value: Promise<unknown>;
}

/** A process with a cache. */
export class CacheProcess {
  readonly child: ChildProcess;
  readonly #commands = new Map<number, (answer: CacheAnswer) => void>();
  #count = 0;

  constructor(client: string, place: string, options: CacheOptions & { l1?: object } = {}) {
    const args = [join(import.meta.dirname, "../programs/cache-process.ts"), client, place];
    this.child = spawn(process.execPath, [...args, JSON.stringify(options)], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    createInterface(this.child.stdout!).on("line", (line) => {
      const answer = JSON.parse(line) as CacheAnswer;
      this.#commands.get(answer.id)?.(answer);
    });
  }

  send(command: CacheCommand): Commanded {
    const id = ++this.#count;
    let begin!: () => void;
    const loading = new Promise<void>((resolve) => (begin = resolve));
    const value = new Promise<unknown>((resolve, reject) => {
      this.#commands.set(id, (answer) => {
        if (answer.event === "loading") {
          commanded.isLoading = true;
          begin();
        } else if (answer.event === "done") resolve(answer.value);
        else reject(new Error(answer.message));
      });
    });
    const commanded: Commanded = { isLoading: false, loading, value };
    value.catch(() => undefined);
    this.child.stdin!.write(`${JSON.stringify({ id, ...command })}\n`);
    return commanded;
  }

  /** Waits until it is connected. */
  async ready(): Promise<void> {
    await this.send({ task: "stats" }).value;
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, "exit");
    this.child.kill(signal);
    await ended;
  }
}

/** Several processes that are connected. */
export async function cacheProcesses(
  count: number,
  ...args: ConstructorParameters<typeof CacheProcess>
): Promise<CacheProcess[]> {
  const processes = Array.from({ length: count }, () => new CacheProcess(...args));
  await Promise.all(processes.map((each) => each.ready()));
  return processes;
}
