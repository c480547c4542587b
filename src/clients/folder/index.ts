import { KvError } from "../../errors.ts";
import { fileLock } from "../shared/disk/file-lock.ts";
import { type FileUrl, onePerPath, pathOf } from "../shared/disk/file-url.ts";
import { FolderFiles } from "./files.ts";
import { prepareFiles } from "./writes.ts";
import { Journal, REMOVED } from "./journal.ts";
import { fileName, isHashed, keyOf } from "./names.ts";
import { pageOf } from "../shared/sorted-keys.ts";
import { FOLDER } from "../manifests.ts";
import { watchFolder } from "../shared/disk/watch-folder.ts";
import { writeRounds } from "../shared/disk/write-rounds.ts";
import { type ClientFactory, defineClient } from "../define.ts";
import { builtin } from "../../platform/node.ts";
import type { Check, KvRecord } from "../../record/types.ts";
import type { Adapter, Feed, Page, Subscription } from "../adapter.ts";
import { isFresh } from "../../record/freshness.ts";
import { versionOf } from "../../record/version.ts";

export type { FileUrl } from "../shared/disk/file-url.ts";

const fs = builtin("node:fs");
const { join } = builtin("node:path");

function adapterOf(root: string): Adapter {
  const work = join(root, ".anykv-lock");
  const journal = new Journal(root, work);
  const files = new FolderFiles(root, journal);

  const {
    add: _,
    evict,
    ...writes
  } = writeRounds({
    lock: fileLock(work),
    async begin(held) {
      await journal.apply(held);
      return (key) => files.get(key);
    },
    prepare: (draft, held) => prepareFiles(root, journal, draft, held),
    apart: true,
    limit: 1000,
  });

  let sweep: string[] = [];
  /** Some of the files; the next call goes on behind them. */
  async function some(limit: number): Promise<string[]> {
    if (sweep.length === 0) sweep = await files.names("");
    return sweep.splice(-limit);
  }

  return {
    ...writes,
    get: (key) => files.get(key),
    async *iterate(prefix, values) {
      yield* files.read(await files.names(prefix), prefix, values);
    },
    async seek(query): Promise<Page> {
      const { keys, next } = pageOf(await files.keys(), query);
      const entries: (readonly [string, KvRecord])[] = [];
      for await (const found of files.read(keys.map(fileName), query.prefix, query.values)) {
        // Large values end a page early.
        if (found === null) return { entries, next: entries.at(-1)![0] };
        entries.push(found);
      }
      return { entries, next };
    },
    watch: (feed) => folderFeed(root, journal, feed),
    async prune({ prefix, now, limit }) {
      const expired: Check[] = [];
      const names = limit === Infinity ? await files.names(prefix) : await some(limit);
      for await (const found of files.read(names, prefix, false)) {
        if (found !== null && !isFresh(found[1], now))
          expired.push({ key: found[0], version: versionOf(found[1]) });
      }
      return evict(expired);
    },
  };
}

/** Changes of files by their names. */
function folderFeed(root: string, journal: Journal, feed: Feed): Subscription {
  const report = (name: string): void => {
    const key = keyOf(name);
    if (key !== null) feed.changed([key]);
    // The name holds only the beginning of the key.
    else if (isHashed(name)) feed.unknown();
  };
  return watchFolder({
    folder: root,
    path: root,
    changed: (name) => (name === null ? feed.unknown() : report(name)),
    // A writer that ended in the middle leaves changes that count, and are not moved yet.
    tick: () => journal.names().forEach((name) => report(name.replace(REMOVED, ""))),
  });
}

const adapterAt = onePerPath(adapterOf);

/**
 * A store in a folder, one file for each key, named by a `file:` URL (or the text of one) that ends
 * in a slash.
 *
 * The name of a file comes from its key in a way that no file system confuses, and never leads out
 * of the folder. Other files in the folder are left alone. A missing folder is an empty store, and
 * is made by the first write. Reads are answered at once; writes are on disk when they resolve.
 * Processes may share a folder: a lock keeps their writes apart. Readers see all writes of a commit
 * or none, also after a crash.
 *
 * A key that is missing is `null`; expired records keep their files until they are read, swept or
 * pruned. Listings come in no order and keep the names of the files in memory, not their content.
 *
 * @throws {KvError} KV_INVALID_CLIENT for a URL that names no path, or a file; KV_CORRUPT for a key
 * whose file is damaged; KV_FOREIGN for one whose file is foreign; KV_QUOTA when the disk
 * is full.
 *
 * @example
 * import { mkdtempSync, readdirSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { pathToFileURL } from "node:url";
 * import kv from "anykv";
 *
 * const url = pathToFileURL(`${mkdtempSync(`${tmpdir()}/`)}/users/`);
 * const users = kv(url);
 * await users.set("ada", { born: 1815 });
 * console.log(await users.get("ada")); // { born: 1815 }
 * console.log(readdirSync(url)); // ["ada.json"]
 */
export const folder: ClientFactory<FileUrl | string, Record<never, never>> = defineClient({
  ...FOLDER,
  open(client: FileUrl | string) {
    const root = pathOf(client, FOLDER.type);
    if (fs.statSync(root, { throwIfNoEntry: false })?.isDirectory() === false) {
      throw new KvError("KV_INVALID_CLIENT", `${root} is a file: end the URL without a slash`, {
        client: FOLDER.type,
      });
    }
    return adapterAt(root);
  },
});
