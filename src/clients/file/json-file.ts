import type { BigIntStats } from "node:fs";
import { moveTo, syncFolder, writeDurably } from "../shared/disk/durable.ts";
import { isKvError, KvError } from "../../errors.ts";
import { reformatted } from "../shared/disk/reformatted.ts";
import { builtin } from "../../platform/node.ts";
import { compareKeys } from "../../record/utf8.ts";
import { decodeRecord } from "../../record/text-format.ts";

const fs = builtin("node:fs");
const { dirname, join } = builtin("node:path");

// The times of files move in steps: two changes inside one step may look like one. Some file
// systems only know whole seconds.
const stepOf = ({ mtimeNs }: BigIntStats): number => (mtimeNs % 1_000_000_000n === 0n ? 2100 : 15);

/** The members of a JSON object, each as it is written. The text must be valid. */
function* membersOf(text: string): Generator<[key: string, value: string]> {
  let depth = 0;
  let key: string | undefined;
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (char === '"') {
      const from = i;
      do i = text.indexOf('"', i + 1);
      while (isEscaped(text, i));
      if (depth === 1 && key === undefined) key = JSON.parse(text.slice(from, i + 1)) as string;
    } else if (char === "{" || char === "[") depth++;
    else if (char === ":" && depth === 1) start = i + 1;
    else if (char === "," || char === "}" || char === "]") {
      if (depth === 1 && key !== undefined) {
        yield [key, text.slice(start, i).trim()];
        key = undefined;
      }
      if (char !== ",") depth--;
    }
  }
}

function isEscaped(text: string, at: number): boolean {
  let from = at;
  while (text[from - 1] === "\\") from--;
  return (at - from) % 2 === 1;
}

function parse(bytes: Uint8Array, path: string): Map<string, string> {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    const whole: unknown = JSON.parse(text);
    if (typeof whole !== "object" || whole === null || Array.isArray(whole))
      throw new TypeError("not an object");
    const members = new Map(membersOf(text));
    for (const [key, member] of members) {
      if (decodeRecord(member, key, false) !== null) continue;
      const ours = reformatted((whole as { [key: string]: unknown })[key]);
      if (ours !== null) members.set(key, ours);
    }
    return members;
  } catch (cause) {
    // An empty file, too: it is rather one that lost its content than one that never had any. The
    // engine's own message is left out but for the place: it shows some of the content.
    const [place = ""] = / \(line \d+ column \d+\)/.exec(String(cause)) ?? [];
    throw new KvError(
      "KV_CORRUPT",
      `${path} is no JSON object${place} and was left as it is: repair it, or remove it to ` +
        "start anew",
      { client: "FILE" },
    );
  }
}

const same = (a: BigIntStats | undefined, b: BigIntStats | undefined): boolean =>
  a?.ino === b?.ino &&
  a?.size === b?.size &&
  a?.mtimeNs === b?.mtimeNs &&
  a?.ctimeNs === b?.ctimeNs &&
  a?.dev === b?.dev;

/**
 * A JSON file that holds one object, and its members as texts in memory. A missing file has none.
 */
export class JsonFile {
  readonly path: string;
  #members: Map<string, string> = new Map();
  #stats: BigIntStats | undefined;
  /** The content as read or written, until the file's times can no longer hide a change. */
  #recent: Uint8Array | undefined;
  #since = 0;
  #keys: string[] | undefined;

  constructor(path: string) {
    this.path = path;
  }

  /**
   * The members by key, from memory unless another program changed the file. Do not change the Map.
   *
   * @throws {KvError} KV_CORRUPT when the file is no JSON object.
   */
  members(): ReadonlyMap<string, string> {
    const stats = fs.statSync(this.path, { bigint: true, throwIfNoEntry: false });
    if (!same(stats, this.#stats)) this.#load();
    else if (this.#recent !== undefined) {
      const settled = performance.now() - this.#since > stepOf(stats!);
      const bytes = fs.readFileSync(this.path);
      if (Buffer.compare(bytes, this.#recent) !== 0) this.#accept(bytes, stats);
      else if (settled) this.#recent = undefined;
    }
    return this.#members;
  }

  /** The keys of the last answer of `members()`, in order. */
  keys(): readonly string[] {
    return (this.#keys ??= [...this.#members.keys()].sort(compareKeys));
  }

  #load(): void {
    let fd: number;
    try {
      fd = fs.openSync(this.path, "r");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      return this.#accept(undefined, undefined);
    }
    try {
      const stats = fs.fstatSync(fd, { bigint: true });
      this.#accept(fs.readFileSync(fd), stats);
    } finally {
      fs.closeSync(fd);
    }
  }

  #accept(bytes: Uint8Array | undefined, stats: BigIntStats | undefined): void {
    this.#keep(bytes === undefined ? new Map() : parse(bytes, this.path), stats, bytes);
    this.#keys = undefined;
  }

  #keep(
    members: Map<string, string>,
    stats: BigIntStats | undefined,
    bytes: Uint8Array | undefined,
  ): void {
    this.#members = members;
    this.#stats = stats;
    this.#recent = bytes;
    this.#since = performance.now();
  }

  /**
   * Writes the file with these changes (`null` removes) into a folder; the result moves it into
   * place. Call it only under the file's lock, after `members()`.
   */
  async prepare(
    changes: ReadonlyMap<string, string | null>,
    folder: string,
  ): Promise<() => Promise<void>> {
    const base = this.#members;
    const members = new Map(base);
    for (const [key, text] of changes) {
      if (text === null) members.delete(key);
      else members.set(key, text);
    }
    const lines = [...members].map(([key, text]) => `  ${JSON.stringify(key)}: ${text}`);
    const bytes = Buffer.from(lines.length === 0 ? "{}\n" : `{\n${lines.join(",\n")}\n}\n`);
    const aside = join(folder, "file");
    const before = this.#stats;
    if (before !== undefined && before.nlink > 1n) throw linked(this.path);
    // A rename would replace a file that may not be written.
    if (before !== undefined) fs.accessSync(this.path, fs.constants.W_OK);
    let ino = 0n;
    try {
      await writeDurably(aside, bytes, (fd) => {
        if (before !== undefined) likeBefore(fd, before);
        ino = fs.fstatSync(fd, { bigint: true }).ino;
      });
    } catch (error) {
      // A full disk takes no new file, but a missing file is an empty store as well.
      if (members.size > 0 || before === undefined || !isKvError(error, "KV_QUOTA")) throw error;
      return () => this.#remove(aside);
    }
    return async () => {
      await moveTo(aside, this.path);
      const stats = fs.statSync(this.path, { bigint: true });
      // Otherwise a program without the lock was faster, and the file is read again.
      if (stats.ino === ino) {
        const sameKeys =
          this.#members === base &&
          [...changes.keys()].every((key) => base.has(key) === members.has(key));
        if (!sameKeys) this.#keys = undefined;
        this.#keep(members, stats, bytes);
      }
      await syncFolder(dirname(this.path));
    };
  }

  async #remove(aside: string): Promise<void> {
    await moveTo(this.path, aside);
    this.#accept(undefined, undefined);
    await syncFolder(dirname(this.path));
  }
}

/** The error for a write to a file with several names: a rename would change only one of them. */
function linked(path: string): KvError {
  const advice = "remove its other names, or use symbolic links";
  return new KvError(
    "KV_INVALID_CLIENT",
    `${path} has hard links, and nothing was written: ${advice}`,
    {
      client: "FILE",
    },
  );
}

/** Gives a file the owner and mode of the one that it replaces. */
function likeBefore(fd: number, before: BigIntStats): void {
  try {
    fs.fchownSync(fd, Number(before.uid), Number(before.gid));
  } catch {
    // Only root may give files away.
  }
  fs.fchmodSync(fd, Number(before.mode & 0o7777n));
}
