// The folder for the temporary files of a test run: in memory where there is room for it, so that a
// slow disk does not slow the tests down. Crash tests stay on the disk (ANYKV_DISK).
// Only built-in modules, and nothing newer than Node 20.
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

const MEMORY = "/dev/shm";
const NAME = /^anykv-run-(\d+)$/;

/** What a run needs at most, with room to spare: servers write their logs ahead. */
const ROOM = 2e9;

function hasRoom(folder) {
  if (!existsSync(folder)) return false;
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize > ROOM;
}

function isRunning(pid) {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error.code === "EPERM";
  }
}

/** Removes what runs left behind that were killed. */
function tidy(base) {
  for (const name of readdirSync(base)) {
    const pid = NAME.exec(name)?.[1];
    if (pid !== undefined && !isRunning(Number(pid))) remove(join(base, name));
  }
}

function remove(folder) {
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}

/**
 * Makes the folder, and has `os.tmpdir()` and all programs that are started from now on use it.
 * Returns a function that removes it. A run within a run uses the folder of the outer one.
 */
export default function useTemporaryFolder() {
  if (process.env.ANYKV_DISK !== undefined) return () => {};
  const disk = tmpdir();
  const base = hasRoom(MEMORY) ? MEMORY : disk;
  tidy(base);
  const folder = join(base, `anykv-run-${process.pid}`);
  remove(folder);
  mkdirSync(folder);
  // Servers that run as another user have their folders in it.
  chmodSync(folder, 0o711);
  // The programs that tests start load the same modules over and over.
  const compiled = join(folder, "compiled");
  Object.assign(process.env, { ANYKV_DISK: disk, TMPDIR: folder, NODE_COMPILE_CACHE: compiled });
  return () => remove(folder);
}
