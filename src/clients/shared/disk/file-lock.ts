import { KvError } from "../../../errors.ts";
import { builtin } from "../../../platform/node.ts";

const { createHash, randomBytes } = builtin("node:crypto");
const fs = builtin("node:fs");
const { hostname } = builtin("node:os");
const { dirname, join } = builtin("node:path");
const { setTimeout: sleep } = builtin("node:timers/promises");

/** A lock that is held. */
export interface Held {
  /**
   * A directory of the holder's own, gone as soon as the lock is. What a holder publishes it writes
   * in here and renames to its place: once it lost the lock, that rename fails.
   */
  readonly folder: string;
  release(): void;
}

/** A lock across processes: resolves once it is held. */
export type FileLock = () => Promise<Held>;

const TOKEN = /^([0-9a-f]{8})-(\d+)-(\d*)-[0-9a-f]{16}$/;
const HELD = "held";
// Longer than a waiter pauses between its first attempts.
const YIELD_MS = 2;
const LEFTOVER_MS = 600_000;
// The errors of a rename onto a directory with content; on Windows also onto an empty
// one.
const isRefusal = (code: string): boolean =>
  (process.platform === "win32" ? ["EPERM", "EACCES", "EBUSY"] : ["ENOTEMPTY", "EEXIST"]).includes(
    code,
  );

const quietly = <T>(task: () => T): T | undefined => {
  try {
    return task();
  } catch {
    return undefined;
  }
};

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? "";

/** `quietly`, but for a lack of descriptors: its result would be wrong later, too. */
function unlessExhausted<T>(task: () => T): T | undefined {
  try {
    return task();
  } catch (error) {
    if (["EMFILE", "ENFILE"].includes(codeOf(error))) throw error;
    return undefined;
  }
}

/** Removes a directory of this process with all that is in it. */
function removeAll(folder: string): void {
  // An empty one first: reading a directory needs a descriptor, and there may be none.
  quietly(() => fs.rmdirSync(folder));
  quietly(() => fs.rmSync(folder, { recursive: true, force: true }));
}

/**
 * Creates a directory and its parents. `mkdirSync` with `recursive` says ENOENT on a read-only file
 * system; this says EROFS.
 */
function makeFolders(path: string): void {
  try {
    fs.mkdirSync(path);
  } catch (error) {
    const code = codeOf(error);
    if (code === "EEXIST") return;
    if (code !== "ENOENT" || dirname(path) === path) throw error;
    makeFolders(dirname(path));
    fs.mkdirSync(path);
  }
}

/** Removes a directory when it is empty, and says whether it is gone. */
function isRemoved(folder: string): boolean {
  quietly(() => fs.rmdirSync(folder));
  return !fs.existsSync(folder);
}

/**
 * State and start of a process, the latter in the kernel's own count: tells it from a later one
 * with the same number. Linux has them.
 */
function lookAt(pid: number | "self"): { state: string; start: string } {
  const stat = unlessExhausted(() => fs.readFileSync(`/proc/${pid}/stat`, "latin1")) ?? "";
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return { state: fields[0] ?? "", start: fields[19] ?? "" };
}

// Process numbers mean something only on one machine, in one container, until the next boot.
const machineName = (): string =>
  createHash("sha256")
    .update(
      `${quietly(hostname)} ` +
        `${unlessExhausted(() => fs.readFileSync("/proc/sys/kernel/random/boot_id", "latin1"))} ` +
        `${quietly(() => fs.readlinkSync("/proc/self/ns/pid"))}`,
    )
    .digest("hex")
    .slice(0, 8);
let machine: string | undefined;

const newToken = (): string =>
  [
    (machine ??= machineName()),
    process.pid,
    lookAt("self").start,
    randomBytes(8).toString("hex"),
  ].join("-");

/** Whether the process behind a token has certainly ended. */
function isDead(token: string): boolean {
  const [, where, pid, start] = TOKEN.exec(token) ?? [];
  if (where !== (machine ??= machineName())) return false;
  try {
    process.kill(Number(pid), 0);
  } catch (error) {
    if (codeOf(error) === "ESRCH") return true;
  }
  const now = lookAt(Number(pid));
  // A zombie has ended; only its parent has not noticed.
  return now.state === "Z" || (start !== "" && now.start !== "" && now.start !== start);
}

/** The lock of {@link fileLock}. */
class DirectoryLock {
  readonly #work: string;
  readonly #held: string;
  readonly #patience: number;
  /** Whether other processes wait. */
  #isContended = false;
  /** How many times in a row the own directory was missing. */
  #missing = 0;

  constructor(work: string, patience: number) {
    this.#work = work;
    this.#held = join(work, HELD);
    this.#patience = patience;
  }

  async acquire(): Promise<Held> {
    const work = this.#work;
    const token = newToken();
    const folder = join(this.#held, token);
    try {
      // After a release, waiting processes go first.
      if (this.#isContended) {
        quietly(() => fs.mkdirSync(join(work, token, token), { recursive: true }));
        await sleep(YIELD_MS);
      }
      await this.#enterInTurn(token);
    } catch (error) {
      removeAll(join(work, token, token));
      removeAll(join(work, token));
      isRemoved(work);
      throw error;
    }
    return { folder, release: () => this.#release(folder, token) };
  }

  async #enterInTurn(token: string): Promise<void> {
    const held = this.#held;
    let seen = "";
    let since = performance.now();
    let vain = 0;
    for (let tries = 0; !this.#enter(token); tries++) {
      const [holder] = unlessExhausted(() => fs.readdirSync(held)) ?? [];
      if (holder === undefined) {
        // The lock is free, but cannot be taken: this file system cannot make such locks.
        if (++vain > 200)
          throw new KvError("KV_CONNECTION", `no lock can be made in ${this.#work}`);
        quietly(() => fs.rmdirSync(held));
      } else {
        // Each file that the holder makes changes the time of its directory.
        const sight = `${holder} ${quietly(() => fs.statSync(join(held, holder)).mtimeMs)}`;
        if (sight !== seen) [seen, since] = [sight, performance.now()];
        if (isDead(holder) || performance.now() - since > this.#patience) {
          this.#rob(holder);
          continue;
        }
      }
      await sleep(Math.min(1 + tries / 8, 20) * (0.5 + Math.random()));
    }
  }

  /** `false` while another holder has the lock. */
  #enter(token: string): boolean {
    const own = join(this.#work, token);
    try {
      makeFolders(join(own, token));
      fs.renameSync(own, this.#held);
    } catch (error) {
      const code = codeOf(error);
      // Another process that cleans up may remove the directory just now: not many times in a row.
      this.#missing = code === "ENOENT" ? this.#missing + 1 : 0;
      if (this.#missing > 100 || !(code === "ENOENT" || isRefusal(code))) throw error;
      return false;
    }
    this.#missing = 0;
    // Another process that cleans up may have emptied the directory just before the rename.
    return fs.existsSync(join(this.#held, token));
  }

  #rob(holder: string): void {
    const grave = join(this.#work, `${holder}.dead`);
    quietly(() => fs.renameSync(join(this.#held, holder), grave));
    quietly(() => fs.rmSync(grave, { recursive: true, force: true }));
  }

  /** Whether other processes use the lock. Removes the directories of dead ones. */
  #hasOthers(): boolean {
    const work = this.#work;
    const names = quietly(() => fs.readdirSync(work)) ?? [];
    return (
      names.filter((name) => {
        if (name === HELD) return !isRemoved(this.#held);
        const isOwn = TOKEN.test(name.replace(/\.dead$/, ""));
        const age =
          Date.now() - (quietly(() => fs.statSync(join(work, name)).mtimeMs) ?? Date.now());
        if (!isOwn || !(name.endsWith(".dead") || isDead(name) || age > LEFTOVER_MS)) return isOwn;
        quietly(() => fs.rmSync(join(work, name), { recursive: true, force: true }));
        return false;
      }).length > 0
    );
  }

  #release(folder: string, token: string): void {
    const work = this.#work;
    removeAll(folder);
    // Other processes would wait for a holder that is alive. A rename needs no descriptor, and a
    // later clean-up removes the grave.
    if (fs.existsSync(folder)) quietly(() => fs.renameSync(folder, join(work, `${token}.dead`)));
    quietly(() => fs.rmdirSync(this.#held));
    // Most of the time there is no other process, and nothing is left.
    this.#isContended = !isRemoved(work) && this.#hasOthers();
    if (!this.#isContended) isRemoved(work);
  }
}

/**
 * A lock made of directories alone, in the directory `work`:
 *
 *     <work>/<token>/<token>/   a waiting process makes this, and renames the outer one:
 *     <work>/held/<token>/      the process of this token has the lock
 *
 * A rename never replaces a directory that is not empty, so only one process gets the lock. The
 * unique name inside identifies the holder, and the removal of a dead holder names exactly that
 * one: acting on an old observation cannot remove the next holder. A holder that only seemed dead
 * (on another machine, or frozen for longer than `patience`) finds its directory gone, and with it
 * everything that it was about to publish.
 *
 * @param patience milliseconds of standstill after which a holder that cannot be checked counts as
 * dead.
 */
export function fileLock(work: string, patience = 30_000): FileLock {
  const lock = new DirectoryLock(work, patience);
  return () => lock.acquire();
}
