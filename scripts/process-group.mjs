// Runs a command in a process group of its own, so that it can be ended with everything it started.
// Only built-in modules, and nothing newer than Node 20.
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import { constants } from "node:os";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";

/** How long a group may take to end by itself before it is killed. */
const GRACE = 5_000;

const running = new Set();

// Also when this process ends by an error of its own.
process.on("exit", () => {
  for (const { pid } of running) signal(pid, "SIGKILL");
});

let hasEnded = null;

/** The signal that ended the run, or null. */
export const endedBy = () => hasEnded;

/**
 * Ends every group when this process is told to end. What waits for them goes on then:
 * it has to look at `endedBy()` before it starts anything else.
 */
export function endWithThis() {
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.on(name, () => {
      hasEnded ??= name;
      process.exitCode = 128 + constants.signals[name];
      for (const group of running) void group.end();
    });
  }
}

/** Signals a group; false when it has no processes any more. */
function signal(pid, name) {
  try {
    return process.kill(process.platform === "win32" ? pid : -pid, name);
  } catch (error) {
    if (error.code === "ESRCH") return false;
    throw error;
  }
}

/** The processes whose environment has this mark, also those that left the group. Linux only. */
function marked(mark) {
  if (!existsSync("/proc/self/environ")) return [];
  return readdirSync("/proc").filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/environ`, "latin1").includes(mark);
    } catch {
      // It has ended meanwhile, or it belongs to another user.
      return false;
    }
  });
}

/** Kills what is left of a group, and the processes that left it. Resolves when they are gone. */
async function sweep(pid, mark) {
  signal(pid, "SIGKILL");
  for (let left = marked(mark); left.length > 0; left = marked(mark)) {
    for (const other of left) {
      try {
        process.kill(Number(other), "SIGKILL");
      } catch (error) {
        if (error.code !== "ESRCH") throw error;
      }
    }
    await sleep(20);
  }
}

async function end(pid, exited) {
  signal(pid, "SIGTERM");
  await Promise.race([exited, sleep(GRACE, undefined, { ref: false })]);
  signal(pid, "SIGKILL");
  await exited;
}

const sizeOf = (file) => statSync(file, { throwIfNoEntry: false })?.size ?? 0;

/**
 * Runs a command. Resolves to `{ code, stalled }` when nothing of it is running any more.
 * `stalled` is true when the command was ended because it made no progress for `stall`
 * milliseconds.
 * Progress is the growth of the file `progress`; without that file, only the end of the command is.
 */
export async function run(command, args, { progress, stall, env, ...options }) {
  // A run inside another run has the marks of both.
  const mark = `/${randomUUID()}`;
  const child = spawn(command, args, {
    ...options,
    env: { ...env, ANYKV_RUN: `${env.ANYKV_RUN ?? ""}${mark}` },
    detached: process.platform !== "win32",
  });
  const exited = new Promise((resolve) => {
    child.once("error", (error) => resolve({ code: error.message }));
    child.once("exit", (code, signalName) => resolve({ code: code ?? signalName }));
  });
  if (child.pid === undefined) return { ...(await exited), stalled: false };

  const group = { pid: child.pid, end: () => end(child.pid, exited) };
  running.add(group);
  let stalled = false;
  let [size, since] = [0, Date.now()];
  const timer = setInterval(() => {
    const now = progress === undefined ? 0 : sizeOf(progress);
    if (now !== size) [size, since] = [now, Date.now()];
    if (stalled || Date.now() - since < stall) return;
    stalled = true;
    void group.end();
  }, 250);
  const { code } = await exited;
  clearInterval(timer);
  await sweep(child.pid, mark);
  running.delete(group);
  return { code, stalled };
}
