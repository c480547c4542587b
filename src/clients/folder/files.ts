import { KvError } from "../../errors.ts";
import { fileName, isHashed, keyOf, mayStartWith } from "./names.ts";
import { type Journal, REMOVED } from "./journal.ts";
import type { StoredRecord } from "../../record/record.ts";
import { reformatted } from "../shared/disk/reformatted.ts";
import { builtin } from "../../platform/node.ts";
import { PAGE_LENGTH } from "../adapter.ts";
import type { KvRecord } from "../../record/types.ts";
import { compareKeys } from "../../record/utf8.ts";
import { decodeRecord, encodeRecord, foreign } from "../../record/text-format.ts";

const fs = builtin("node:fs");
const promises = builtin("node:fs/promises");
const { join } = builtin("node:path");
const { setImmediate: turn } = builtin("node:timers/promises");

const HEAD_BYTES = 1024;
// The clock of a file system may be as coarse as this many milliseconds.
const TICK = 2000;
// Files read between two turns of the event loop.
const BATCH = 64;
// How a file of a record starts. A file with a hashed name starts with its key.
const OURS = /^\{"(?:kv":1,|key":")/;
const KEY = /^\{"key":("(?:[^"\\]|\\.)*"),/;

type Pair = readonly [key: string, record: StoredRecord];

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;

const json = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** The content of the file of a key. */
export function encodeFile(key: string, name: string, record: KvRecord): string {
  const text = encodeRecord(record);
  return isHashed(name) ? `{"key":${JSON.stringify(key)},${text.slice(1)}\n` : `${text}\n`;
}

/**
 * The key and record in a file; `null` when the name or the content is not ours. @throws {KvError}
 * KV_CORRUPT
 */
function decodeFile(name: string, text: string, values: boolean): Pair | null {
  const plain = keyOf(name);
  const [start = "", quoted = ""] = plain === null ? (KEY.exec(text) ?? []) : [];
  const key = plain ?? json(quoted) ?? (Object(json(text)) as { key?: unknown }).key;
  if (typeof key !== "string" || (plain === null && fileName(key) !== name)) return null;
  const record = decodeRecord(start === "" ? text : `{${text.slice(start.length)}`, key, values);
  if (record !== null) return [key, record];
  const again = reformatted(json(text));
  return again === null ? null : [key, decodeRecord(again, key, values)!];
}

/** The first bytes of a file; `null` when there is none. */
function headOf(path: string): string | null {
  let fd: number;
  try {
    fd = fs.openSync(path, "r");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return null;
    throw error;
  }
  try {
    const bytes = Buffer.allocUnsafe(HEAD_BYTES);
    return bytes.toString("utf8", 0, fs.readSync(fd, bytes, 0, HEAD_BYTES, 0));
  } finally {
    fs.closeSync(fd);
  }
}

const timeOf = (path: string): number | undefined =>
  fs.statSync(path, { throwIfNoEntry: false })?.mtimeMs;

/**
 * Reads the records of a folder. A small file is read several times faster at once than by a way
 * round through Node's thread pool, and there are never many open.
 */
export class FolderFiles {
  readonly #root: string;
  readonly #journal: Journal;
  #kept: { readonly keys: readonly string[]; readonly time: number } | null = null;

  constructor(root: string, journal: Journal) {
    this.#root = root;
    this.#journal = journal;
  }

  /** @throws {KvError} KV_FOREIGN, KV_CORRUPT */
  get(key: string): KvRecord | null {
    const name = fileName(key);
    let text: string | null;
    try {
      text = this.#journal.read(name);
    } catch (error) {
      throw codeOf(error) === "EISDIR" ? inTheWay(key) : error;
    }
    if (text === null) return null;
    const found = decodeFile(name, text, true);
    if (found !== null) return found[1];
    // A complete file without a record is foreign, whatever it starts with.
    if (!OURS.test(text) || json(text) !== undefined) throw foreign(key);
    throw new KvError(
      "KV_CORRUPT",
      `the file of ${JSON.stringify(key)} is damaged: set() replaces it, del() removes it`,
      { key },
    );
  }

  /** The names of all files that may hold a key under the prefix. */
  async names(prefix: string): Promise<string[]> {
    const names = new Set(
      this.#journal.names().filter((name) => !name.endsWith(REMOVED) && mayStartWith(name, prefix)),
    );
    // On some file systems a file that is replaced while its folder is read does not show: then it
    // is read again.
    for (
      let time: number | undefined, tries = 0;
      tries < 3 && timeOf(this.#root) !== time;
      tries++
    ) {
      time = timeOf(this.#root);
      try {
        for (const name of await promises.readdir(this.#root))
          if (mayStartWith(name, prefix)) names.add(name);
      } catch (error) {
        if (codeOf(error) !== "ENOENT") throw error;
      }
    }
    return [...names];
  }

  /** All keys in order. They are kept while the folder is unchanged. */
  async keys(): Promise<readonly string[]> {
    const time = timeOf(this.#root);
    const kept = this.#kept;
    if (kept !== null && kept.time === time && this.#journal.names().length === 0) return kept.keys;
    this.#kept = null;
    const now = Date.now();
    const names = await this.names("");
    const keys = names.map(keyOf).filter((key) => key !== null);
    for await (const found of this.read(names.filter(isHashed), "", false))
      if (found !== null) keys.push(found[0]);
    keys.sort(compareKeys);
    // Two changes in one tick of the file system's clock have the same time.
    if (time !== undefined && time < now - TICK && this.#journal.names().length === 0)
      this.#kept = { keys, time };
    return keys;
  }

  /**
   * The records in files of these names, as they are when their turn comes. A `null` comes behind
   * so many that they are enough for now.
   */
  async *read(
    names: readonly string[],
    prefix: string,
    values: boolean,
  ): AsyncGenerator<Pair | null> {
    let length = 0;
    for (let i = 0; i < names.length; i++) {
      if (i % BATCH === BATCH - 1) await turn();
      const [found, read] = this.#load(names[i]!, values);
      if (!found?.[0].startsWith(prefix)) continue;
      yield found;
      length += read;
      if (length < PAGE_LENGTH) continue;
      yield null;
      length = 0;
    }
  }

  /** The record in a file, and how many characters of it stay in memory. */
  #load(name: string, values: boolean): [Pair | null, length: number] {
    try {
      if (!values && this.#journal.names().length === 0) {
        const head = headOf(join(this.#root, name));
        const found = head === null ? null : decodeFile(name, head, false);
        if (found !== null || head === null) return [found, 0];
      }
      const text = this.#journal.read(name);
      return text === null ? [null, 0] : [decodeFile(name, text, values), values ? text.length : 0];
    } catch (error) {
      // A foreign folder, whose name looks like that of a record.
      if (codeOf(error) === "EISDIR") return [null, 0];
      throw error;
    }
  }
}

/** The error for a folder that stands where the file of a key belongs. */
export function inTheWay(key: string): KvError {
  return new KvError(
    "KV_FOREIGN",
    `a folder stands where the file of ${JSON.stringify(key)} belongs: move it away`,
    { key },
  );
}
