import { moveTo, syncFolder, writeDurably } from "../shared/disk/durable.ts";
import type { Held } from "../shared/disk/file-lock.ts";
import { fileName } from "./names.ts";
import { encodeFile, inTheWay } from "./files.ts";
import { type Journal, REMOVED, takeAway } from "./journal.ts";
import type { Draft } from "../shared/disk/write-rounds.ts";
import { builtin } from "../../platform/node.ts";

const fs = builtin("node:fs");
const { join } = builtin("node:path");

// Files that are written side by side: as many as Node has threads for them, several times over.
const ABREAST = 16;

interface Change {
  readonly name: string;
  /** `null` to remove the file. */
  readonly text: string | null;
}

function changesOf(root: string, { changes }: Draft): Change[] {
  const found: Change[] = [];
  for (const [key, record] of changes) {
    const name = fileName(key);
    const there = fs.lstatSync(join(root, name), { throwIfNoEntry: false });
    if (there?.isDirectory()) throw inTheWay(key);
    if (record !== null) found.push({ name, text: encodeFile(key, name, record) });
    else if (there !== undefined) found.push({ name, text: null });
  }
  return found;
}

async function writeAside(
  changes: readonly Change[],
  folder: string,
  marks: boolean,
): Promise<void> {
  const write = async ({ name, text }: Change): Promise<void> => {
    if (text !== null) await writeDurably(join(folder, name), text);
    else if (marks) fs.writeFileSync(join(folder, name + REMOVED), "");
  };
  for (let i = 0; i < changes.length; i += ABREAST) {
    // All of them come to an end, so that nothing is written any more when one has failed.
    const done = await Promise.allSettled(changes.slice(i, i + ABREAST).map(write));
    const failed = done.find((result) => result.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }
}

async function publish(root: string, changes: readonly Change[], held: Held): Promise<void> {
  for (const { name, text } of changes) {
    if (text === null) takeAway(join(root, name), name, held);
    else await moveTo(join(held.folder, name), join(root, name));
  }
  await syncFolder(root);
}

let journals = 0;

/**
 * Writes the files of a draft aside. The result publishes them, all together by the journal where
 * the draft asks for that.
 */
export async function prepareFiles(
  root: string,
  journal: Journal,
  draft: Draft,
  held: Held,
): Promise<() => Promise<void>> {
  const changes = changesOf(root, draft);
  if (changes.length === 0) return async () => {};
  if (!draft.together || changes.length === 1) {
    await writeAside(changes, held.folder, false);
    return () => publish(root, changes, held);
  }
  const folder = join(held.folder, `journal${++journals}`);
  fs.mkdirSync(folder);
  await writeAside(changes, folder, true);
  return () => journal.publish(folder, held);
}
