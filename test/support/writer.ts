import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";

const script = join(import.meta.dirname, "../programs/writer-process.ts");

/** A process that writes to a store when it is told to. */
export class Writer {
  readonly process: ChildProcess;
  readonly #waiting: ((answer: string) => void)[] = [];

  /** `name` is a client of open-client.ts or open-server.ts, `where` its folder or URL. */
  constructor(name: string, where: string) {
    this.process = spawn(process.execPath, [script, name, where], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    createInterface({ input: this.process.stdout! }).on("line", (line) =>
      this.#waiting.shift()!(line),
    );
  }

  /** Calls a method of the store. Resolves to its result, and to when it was over. */
  async call(method: string, ...args: unknown[]): Promise<{ result: unknown; at: number }> {
    const answer = new Promise<string>((resolve) => this.#waiting.push(resolve));
    this.process.stdin!.write(`${JSON.stringify([method, ...args])}\n`);
    return JSON.parse(await answer) as { result: unknown; at: number };
  }

  async end(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    this.process.kill(signal);
    await once(this.process, "exit");
  }
}
