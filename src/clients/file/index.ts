import { KvError } from "../../errors.ts";
import { fileLock } from "../shared/disk/file-lock.ts";
import { type FileUrl, onePerPath, pathOf } from "../shared/disk/file-url.ts";
import { JsonFile } from "./json-file.ts";
import { FILE } from "../manifests.ts";
import type { StoredRecord } from "../../record/record.ts";
import { pageOf } from "../shared/sorted-keys.ts";
import { decodeRecord, encodeRecord, recordIn } from "../../record/text-format.ts";
import { watchFolder } from "../shared/disk/watch-folder.ts";
import { type Draft, writeRounds } from "../shared/disk/write-rounds.ts";
import { type ClientFactory, defineClient } from "../define.ts";
import { builtin } from "../../platform/node.ts";
import type { Check } from "../../record/types.ts";
import type { Adapter, PruneQuery } from "../adapter.ts";
import { isFresh } from "../../record/freshness.ts";
import { versionOf } from "../../record/version.ts";

export type { FileUrl } from "../shared/disk/file-url.ts";

const fs = builtin("node:fs");
const { basename, dirname, join } = builtin("node:path");

/** The records that have expired, among some of the keys. */
function expiredAmong(
  members: ReadonlyMap<string, string>,
  keys: Iterable<string>,
  { prefix, now }: PruneQuery,
): Check[] {
  const found: Check[] = [];
  for (const key of keys) {
    const text = key.startsWith(prefix) ? members.get(key) : undefined;
    const record = text === undefined ? null : decodeRecord(text, key, false);
    if (record !== null && !isFresh(record, now)) found.push({ key, version: versionOf(record) });
  }
  return found;
}

/** The keys of a file in parts: each part continues where the last one has stopped. */
class KeySweep {
  readonly #file: JsonFile;
  #keys: Iterator<string> | undefined;

  constructor(file: JsonFile) {
    this.#file = file;
  }

  *next(limit: number): Generator<string> {
    this.#keys ??= this.#file.members().keys();
    for (let i = 0; i < limit; i++) {
      const { done, value } = this.#keys.next();
      if (done) return void (this.#keys = undefined);
      yield value;
    }
  }
}

function clearUnder(file: JsonFile, prefix: string, changes: Draft["changes"]): void {
  const isUnder = (key: string): boolean => key !== prefix && key.startsWith(prefix);
  for (const key of changes.keys()) if (isUnder(key)) changes.set(key, null);
  for (const [key, text] of file.members())
    if (isUnder(key) && decodeRecord(text, key, false) !== null) changes.set(key, null);
}

function adapterOf(path: string): Adapter {
  const file = new JsonFile(path);
  const { add, evict, ...writes } = writeRounds({
    lock: fileLock(join(dirname(path), `.${basename(path)}.anykv-lock`)),
    begin() {
      const members = file.members();
      return (key) => recordIn(members.get(key), key);
    },
    async prepare({ changes }, held) {
      const members = file.members();
      const texts = new Map<string, string | null>();
      for (const [key, record] of changes)
        if (record !== null || members.has(key)) texts.set(key, record && encodeRecord(record));
      return texts.size === 0 ? async () => {} : file.prepare(texts, held.folder);
    },
    apart: false,
    limit: Infinity,
  });

  const sweep = new KeySweep(file);
  return {
    ...writes,
    get: (key) => recordIn(file.members().get(key), key),
    has: (key, now) => isFresh(recordIn(file.members().get(key), key, false), now),
    getMany(keys) {
      const members = file.members();
      return keys.map((key) => recordIn(members.get(key), key));
    },
    page(query) {
      const members = file.members();
      const { keys, next } = pageOf(file.keys(), query);
      const found = keys.map(
        (key) => [key, decodeRecord(members.get(key)!, key, query.values)] as const,
      );
      return {
        entries: found.filter((pair): pair is readonly [string, StoredRecord] => pair[1] !== null),
        next,
      };
    },
    watch: (feed) =>
      watchFolder({
        folder: dirname(path),
        path,
        changed(name) {
          if (name === null || name === basename(path)) feed.unknown();
        },
      }),
    clear: (prefix) => add(({ changes }) => clearUnder(file, prefix, changes)),
    prune(query) {
      const members = file.members();
      return evict(
        expiredAmong(
          members,
          query.limit === Infinity ? members.keys() : sweep.next(query.limit),
          query,
        ),
      );
    },
  };
}

const adapterAt = onePerPath(adapterOf);

/**
 * A store in one readable JSON file, named by a `file:` URL (or the text of one) that does not end
 * in a slash.
 *
 * Each member of the file is a record, or a foreign item, which is left alone. A missing
 * file is an empty store, and is made with its folder by the first write. Reads are answered from
 * memory after a check that the file is unchanged; writes that come together replace the
 * file once, and are on disk when they resolve. Processes may share a file: a lock keeps their
 * writes and commits apart.
 *
 * A key that is missing is `null`; expired records stay in the file until they are read, swept or
 * pruned.
 *
 * @throws {KvError} KV_INVALID_CLIENT for a URL that names no path, or a folder; KV_CORRUPT (each
 * operation) when the file is no JSON object, and leaves it as it is; KV_QUOTA when the disk is
 * full; KV_INVALID_CLIENT (each write) when the file has hard links, because a write replaces the
 * file under one name only.
 *
 * @example
 * import { mkdtempSync, readFileSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { pathToFileURL } from "node:url";
 * import kv from "anykv";
 *
 * const url = pathToFileURL(`${mkdtempSync(`${tmpdir()}/`)}/users.json`);
 * const users = kv(url);
 * await users.set("ada", { born: 1815 });
 * console.log(await users.get("ada")); // { born: 1815 }
 * console.log(Object.keys(JSON.parse(readFileSync(url, "utf8")))); // ["ada"]
 */
export const file: ClientFactory<FileUrl | string, Record<never, never>> = defineClient({
  ...FILE,
  open(client: FileUrl | string) {
    const path = pathOf(client, FILE.type);
    if (fs.statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
      throw new KvError("KV_INVALID_CLIENT", `${path} is a folder: end the URL with a slash`, {
        client: FILE.type,
      });
    }
    return adapterAt(path);
  },
});
