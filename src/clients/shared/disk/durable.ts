import { KvError } from "../../../errors.ts";
import { builtin } from "../../../platform/node.ts";

const fs = builtin("node:fs");
const { setTimeout: sleep } = builtin("node:timers/promises");

const sync = (fd: number): Promise<void> =>
  new Promise((resolve, reject) =>
    fs.fsync(fd, (error) => (error === null ? resolve() : reject(error))),
  );
const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;

/**
 * Writes a new file and waits until it is on disk.
 *
 * @param finish what else to do with the open file before that.
 * @throws {KvError} KV_QUOTA when the disk, a quota or a limit of file sizes is full; whatever else
 * the file system says.
 */
export async function writeDurably(
  path: string,
  data: string | Uint8Array,
  finish?: (fd: number) => void,
): Promise<void> {
  try {
    const fd = fs.openSync(path, "w");
    try {
      fs.writeFileSync(fd, data);
      finish?.(fd);
      await sync(fd);
    } finally {
      fs.closeSync(fd);
    }
  } catch (cause) {
    fs.rmSync(path, { force: true });
    if (["ENOSPC", "EDQUOT", "EFBIG"].includes(codeOf(cause) ?? ""))
      throw new KvError(
        "KV_QUOTA",
        `there is no space for ${path}: nothing was written; free some on the disk`,
        { cause },
      );
    throw cause;
  }
}

/** Waits until the changes of a directory (files created, renamed, removed) are on disk. */
export async function syncFolder(path: string): Promise<void> {
  // Windows has no such thing for directories: it refuses to open one.
  if (process.platform === "win32") return;
  const fd = fs.openSync(path, "r");
  try {
    await sync(fd);
  } catch (error) {
    // Not every file system can: then a rename is as safe there as it gets.
    if (!["EINVAL", "ENOTSUP", "ENOSYS"].includes(codeOf(error) ?? "")) throw error;
  } finally {
    fs.closeSync(fd);
  }
}

/** Renames, replacing an existing file. */
export async function moveTo(from: string, to: string): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      return fs.renameSync(from, to);
    } catch (error) {
      // Windows refuses while another program reads the file that is to be replaced.
      if (
        process.platform !== "win32" ||
        tries === 100 ||
        !["EPERM", "EACCES", "EBUSY"].includes(codeOf(error) ?? "")
      )
        throw error;
    }
    await sleep(10);
  }
}
