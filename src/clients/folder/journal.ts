import { moveTo, syncFolder } from "../shared/disk/durable.ts";
import type { Held } from "../shared/disk/file-lock.ts";
import { builtin } from "../../platform/node.ts";

const fs = builtin("node:fs");
const { join } = builtin("node:path");

/** Behind the name of a file that is to be removed. */
export const REMOVED = ".removed";

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;

/** The text of a file, `null` when there is none. */
export function readText(path: string): string | null {
  try {
    return fs.readFileSync(path, "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return null;
    throw error;
  }
}

/**
 * Renames within the lock's protection: `false` when there is nothing, an error when the lock was
 * lost.
 */
export function takeAway(path: string, name: string, held: Held): boolean {
  try {
    fs.renameSync(path, join(held.folder, name));
    return true;
  } catch (error) {
    if (codeOf(error) === "ENOENT" && fs.existsSync(held.folder)) return false;
    throw error;
  }
}

/**
 * Changes to several files of a folder, all or none: a directory with the new files in it, renamed
 * into place in one step. From that moment on the changes count, for every reader, even before (or,
 * after a crash, long before) the files are moved to where they belong.
 */
export class Journal {
  readonly #root: string;
  readonly #work: string;
  readonly #path: string;

  constructor(root: string, work: string) {
    this.#root = root;
    this.#work = work;
    this.#path = join(work, "journal");
  }

  /** The names of the files that a journal changes; most of the time there is none. */
  names(): string[] {
    return this.#exists() ? fs.readdirSync(this.#path) : [];
  }

  #exists(): boolean {
    return fs.statSync(this.#path, { throwIfNoEntry: false }) !== undefined;
  }

  /** The text of a file of the folder as it counts now; `null` when there is none. */
  read(name: string): string | null {
    if (this.#exists()) {
      // In this order: files move from the journal to the folder, never back.
      const text = readText(join(this.#path, name));
      if (text !== null) return text;
      if (fs.existsSync(join(this.#path, name + REMOVED))) return null;
    }
    return readText(join(this.#root, name));
  }

  /** Makes a directory of new files (and empty ones with REMOVED behind their names) count. */
  async publish(folder: string, held: Held): Promise<void> {
    await syncFolder(folder);
    await moveTo(folder, this.#path);
    await syncFolder(this.#work);
    await syncFolder(this.#root);
    // The commit is decided: the next writer moves the files that cannot be moved now.
    await this.apply(held).catch(() => {});
  }

  /** Moves the files of the journal, if there is one, to where they belong. Needs the lock. */
  async apply(held: Held): Promise<void> {
    const names = this.names();
    if (names.length === 0 && !this.#exists()) return;
    for (const name of names) {
      const from = join(this.#path, name);
      if (!name.endsWith(REMOVED)) {
        await moveTo(from, join(this.#root, name));
        continue;
      }
      takeAway(join(this.#root, name.slice(0, -REMOVED.length)), name, held);
      fs.unlinkSync(from);
    }
    await syncFolder(this.#root);
    fs.rmdirSync(this.#path);
  }
}
