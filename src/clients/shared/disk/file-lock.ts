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
// What a rename onto a directory with something in it fails with; on Windows also onto an empty
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

/**
 * A lock made of directories alone, in the directory `work`:
 *
 *     <work>/<token>/<token>/   who wants the lock makes this, and renames the outer one:
 *     <work>/held/<token>/      whose directory is in here, holds the lock
 *
 * A rename never replaces a directory that has something in it, so only one gets in. The holder is
 * told by the unique name inside, and whoever removes a dead holder names exactly that one: nobody
 * can rob the next holder by acting on what it saw before. A holder that only seemed dead (of
 * another machine, or frozen for longer than `patience`) finds its directory gone, and with it
 * everything it was about to publish.
 *
 * @param patience milliseconds of standstill after which a holder that cannot be checked counts as
 * dead.
 */
export function fileLock(work: string, patience = 30_000): FileLock {
  const held = join(work, HELD);
  let contended = false;
  let missing = 0;

  /** `false` while somebody else is in. */
  function enter(token: string): boolean {
    const own = join(work, token);
    try {
      makeFolders(join(own, token));
      fs.renameSync(own, held);
    } catch (error) {
      const code = codeOf(error);
      // Tidied away by another process at this very moment: that does not happen many times in a
      // row.
      missing = code === "ENOENT" ? missing + 1 : 0;
      if (missing > 100 || !(code === "ENOENT" || isRefusal(code))) throw error;
      return false;
    }
    missing = 0;
    // Somebody who tidied up may have emptied it just before the rename.
    return fs.existsSync(join(held, token));
  }

  function rob(holder: string): void {
    const grave = join(work, `${holder}.dead`);
    quietly(() => fs.renameSync(join(held, holder), grave));
    quietly(() => fs.rmSync(grave, { recursive: true, force: true }));
  }

  /** Whether others are here; removes what dead ones left. */
  function others(): boolean {
    const names = quietly(() => fs.readdirSync(work)) ?? [];
    return (
      names.filter((name) => {
        if (name === HELD) return !isRemoved(held);
        const ours = TOKEN.test(name.replace(/\.dead$/, ""));
        const age =
          Date.now() - (quietly(() => fs.statSync(join(work, name)).mtimeMs) ?? Date.now());
        if (!ours || !(name.endsWith(".dead") || isDead(name) || age > LEFTOVER_MS)) return ours;
        quietly(() => fs.rmSync(join(work, name), { recursive: true, force: true }));
        return false;
      }).length > 0
    );
  }

  function release(folder: string, token: string): void {
    removeAll(folder);
    // Others would wait for a holder that is alive. A rename needs no descriptor, and whoever
    // tidies up later removes the grave.
    if (fs.existsSync(folder)) quietly(() => fs.renameSync(folder, join(work, `${token}.dead`)));
    quietly(() => fs.rmdirSync(held));
    // Most of the time nobody else is here, and nothing is left.
    contended = !isRemoved(work) && others();
    if (!contended) isRemoved(work);
  }

  return async function acquire() {
    const token = newToken();
    const folder = join(held, token);
    try {
      // Who has just held the lock lets those who wait go first.
      if (contended) {
        quietly(() => fs.mkdirSync(join(work, token, token), { recursive: true }));
        await sleep(YIELD_MS);
      }
      let seen = "";
      let since = performance.now();
      let vain = 0;
      for (let tries = 0; !enter(token); tries++) {
        const [holder] = unlessExhausted(() => fs.readdirSync(held)) ?? [];
        if (holder === undefined) {
          // Nobody is in, and yet nobody gets in: not a file system that locks can be made of.
          if (++vain > 200) throw new KvError("KV_CONNECTION", `no lock can be made in ${work}`);
          quietly(() => fs.rmdirSync(held));
        } else {
          // Each file that the holder makes moves the time of its directory.
          const sight = `${holder} ${quietly(() => fs.statSync(join(held, holder)).mtimeMs)}`;
          if (sight !== seen) [seen, since] = [sight, performance.now()];
          if (isDead(holder) || performance.now() - since > patience) {
            rob(holder);
            continue;
          }
        }
        await sleep(Math.min(1 + tries / 8, 20) * (0.5 + Math.random()));
      }
    } catch (error) {
      removeAll(join(work, token, token));
      removeAll(join(work, token));
      isRemoved(work);
      throw error;
    }
    return { folder, release: () => release(folder, token) };
  };
}
