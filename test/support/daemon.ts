import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  accessSync,
  constants,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
} from "node:fs";
import { createConnection, createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * Ports that nobody listens on. They are below those that systems give to outgoing connections, by
 * 10,000 too: nobody takes the port of a server that is down for a while, or that of the bus of a
 * Redis cluster.
 */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = 11_000 + Math.floor(Math.random() * 10_000);
    const server = createServer().listen(port, "127.0.0.1");
    try {
      await once(server, "listening");
      ports.add(port);
    } catch {
      // Taken: another one.
    }
    await new Promise((resolve) => server.close(resolve));
  }
  return [...ports];
}

const isExecutable = (file: string): boolean => {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};

/** A program that is not on this machine. */
export class MissingProgramError extends Error {
  constructor(name: string, variable: string) {
    super(`${name} is not installed: npm run setup, or set ${variable}`);
  }
}

/**
 * Where a program is: what an environment variable says, or on PATH, or among the versions of
 * PostgreSQL. @throws when it is nowhere.
 */
export function program(name: string, variable: string): string {
  const given = process.env[variable];
  if (given !== undefined) {
    if (isExecutable(given)) return given;
    throw new MissingProgramError(name, variable);
  }
  const versions = "/usr/lib/postgresql";
  let folders = [...process.env.PATH!.split(path.delimiter), "/usr/sbin"];
  try {
    folders = [
      ...folders,
      ...readdirSync(versions).map((version) => path.join(versions, version, "bin")),
    ];
  } catch {
    // No PostgreSQL from packages.
  }
  const found = folders.map((folder) => path.join(folder, name)).find(isExecutable);
  if (found === undefined) throw new MissingProgramError(name, variable);
  return found;
}

/** Waits until something holds. @throws with what was waited for after so many milliseconds. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  ms = 120_000,
): Promise<void> {
  for (const end = performance.now() + ms; !(await holds()); await sleep(10)) {
    if (performance.now() > end) throw new Error(`waited ${ms} ms in vain until ${what}`);
  }
}

/** Whether something accepts connections on a port. */
export async function listens(port: number): Promise<boolean> {
  const socket = createConnection(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

// A test run that ends in whatever way leaves no server behind.
const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) signal(child, "SIGKILL");
});

function signal(child: ChildProcess, name: NodeJS.Signals): void {
  try {
    child.kill(name);
  } catch {
    // It is gone.
  }
}

/** Waits until a process is stopped: it may go on for a moment after the signal was sent. */
function untilStopped(pid: number): void {
  const tasks = `/proc/${pid}/task`;
  // Other systems have no such files.
  if (!existsSync(tasks)) return;
  const isRunning = (task: string): boolean =>
    !/\) [Tt] /.test(readFileSync(`${tasks}/${task}/stat`, "latin1"));
  const pause = new Int32Array(new SharedArrayBuffer(4));
  while (readdirSync(tasks).some(isRunning)) Atomics.wait(pause, 0, 0, 1);
}

/** How a server is started. */
export interface DaemonOptions {
  readonly command: string;
  readonly args: (folder: string) => readonly string[];
  /** The port that it listens on once it is up. */
  readonly port: number;
  /** Whose rights it runs with, as a number. */
  readonly uid?: number | undefined;
  /** Prepares the folder before the first start. */
  readonly prepare?: ((folder: string) => Promise<void> | void) | undefined;
}

/** A server of the tests' own, in a folder of its own. */
export class Daemon {
  readonly folder: string;
  readonly port: number;
  readonly #options: DaemonOptions;
  #child: ChildProcess | null = null;
  #output = "";
  #isPrepared = false;

  constructor(options: DaemonOptions) {
    this.#options = options;
    this.port = options.port;
    this.folder = mkdtempSync(path.join(tmpdir(), "anykv-server-"));
  }

  /**
   * Starts it, or starts it again with the data that it had. Does nothing while it runs.
   * Resolves once it accepts connections.
   */
  async start(): Promise<this> {
    if (this.#isRunning) return this;
    const { command, args, port, uid, prepare } = this.#options;
    if (!this.#isPrepared) await prepare?.(this.folder);
    this.#isPrepared = true;
    const child = spawn(command, args(this.folder), {
      stdio: ["ignore", "pipe", "pipe"],
      cwd: this.folder,
      ...(uid === undefined ? {} : { uid }),
    });
    this.#child = child;
    running.add(child);
    const keep = (text: Buffer): void =>
      void (this.#output = (this.#output + String(text)).slice(-4000));
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    child.once("exit", () => running.delete(child));
    await until(`${command} listens on ${port}`, () => {
      if (child.exitCode !== null)
        throw new Error(`${command} ended with ${child.exitCode}:\n${this.#output}`);
      return listens(port);
    });
    return this;
  }

  get #isRunning(): boolean {
    const child = this.#child;
    return child !== null && child.exitCode === null && child.signalCode === null;
  }

  get pid(): number {
    return this.#child!.pid!;
  }

  /** Ends it at once, as a crash would. */
  async kill(): Promise<void> {
    const child = this.#child;
    const isRunning = this.#isRunning;
    this.#child = null;
    if (child === null || !isRunning) return;
    const ended = once(child, "exit");
    signal(child, "SIGKILL");
    await ended;
  }

  /** Ends it by a signal that it answers by tidying up, and kills it if it does not. */
  async end(name: NodeJS.Signals): Promise<void> {
    const child = this.#child!;
    const ended = once(child, "exit");
    signal(child, name);
    await Promise.race([ended, sleep(10_000, undefined, { ref: false })]);
    await this.kill();
  }

  /** Stops it without ending it: connections stay open, and nothing answers. */
  pause(): void {
    signal(this.#child!, "SIGSTOP");
    untilStopped(this.pid);
  }

  /** Lets it go on. */
  resume(): void {
    signal(this.#child!, "SIGCONT");
  }

  /** Ends it and removes its data. */
  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
