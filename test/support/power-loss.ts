import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import process from "node:process";
import { promisify } from "node:util";

/**
 * What a program did to the files of a folder, in the order of the system calls, and what a disk
 * may hold when the power fails in the middle of it.
 *
 * The rules are those of POSIX: the content of a file is safe once the file was synchronised, and
 * the names in a folder once the folder was. Everything later may be lost. Contents may be lost in
 * any combination. Changes of names are lost from the end: file systems keep them in a journal.
 */
type Change =
  | { readonly kind: "remove" | "mkdir" | "rmdir"; readonly path: string }
  | { readonly kind: "create"; readonly path: string; readonly truncates: boolean }
  | { readonly kind: "rename" | "link"; readonly path: string; readonly to: string }
  | { readonly kind: "write"; readonly path: string; readonly at: number; readonly data: Buffer }
  | { readonly kind: "truncate"; readonly path: string; readonly length: number }
  | { readonly kind: "sync"; readonly path: string };

const CALLS =
  "openat,open,creat,write,pwrite64,writev,pwritev,ftruncate,truncate,fsync,fdatasync," +
  "rename,renameat,renameat2,unlink,unlinkat,link,linkat,mkdir,mkdirat,rmdir";

const TEXT = /"((?:\\x[0-9a-f]{2})*)"/g;
// Paths may be relative to a folder that is open.
const PATH = /(?:(?:AT_FDCWD|\d+)<((?:\\x[0-9a-f]{2})*)>, )?"((?:\\x[0-9a-f]{2})*)"/g;
const bytesIn = (hex: string): Buffer => Buffer.from(hex.replaceAll("\\x", ""), "hex");

/** The program that records. */
export const strace: string = process.env.STRACE ?? "strace";

/** Runs a program of Node, and records what it does to the files below a folder. */
export async function record(folder: string, args: readonly string[]): Promise<Change[]> {
  const log = `${folder}.strace`;
  const flags = ["-f", "-qq", "-y", "-xx", "-s", "100000000", "-e", `trace=${CALLS}`, "-o", log];
  await promisify(execFile)(strace, [...flags, process.execPath, ...args]);
  const text = readFileSync(log, "latin1");
  rmSync(log);
  return changesIn(completed(text.split("\n")), folder);
}

/** One line for each call: those that others interrupt are joined. */
function* completed(lines: readonly string[]): Generator<string, void, undefined> {
  const begun = new Map<string, string>();
  for (const line of lines) {
    const [, thread = "", rest = ""] = /^(\d+) +(.*)$/.exec(line) ?? [];
    const unfinished = rest.indexOf(" <unfinished ...>");
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest);
    if (unfinished >= 0) begun.set(thread, rest.slice(0, unfinished));
    else if (resumed !== null) yield `${begun.get(thread)}${resumed[1]}`;
    else yield rest;
  }
}

/** The changes below a folder, with paths that are relative to it. */
function changesIn(calls: Iterable<string>, folder: string): Change[] {
  const changes: Change[] = [];
  const positions = new Map<string, number>();
  for (const call of calls) {
    const [, name, parameters, result] = /^(\w+)\((.*)\) += (-?\d+)/s.exec(call) ?? [];
    if (name === undefined || Number(result) < 0) continue;
    const texts = [...parameters!.matchAll(TEXT)].map(([, hex]) => bytesIn(hex!));
    const [descriptor, opened] = /^(\d+)<((?:\\x[0-9a-f]{2})*)>/.exec(parameters!)?.slice(1) ?? [];
    const ownPath = (found: string): string | undefined =>
      found.startsWith(`${folder}/`) || found === folder
        ? path.relative(folder, found) || "."
        : undefined;
    const isOfDescriptor = /^(p?write|f)/.test(name);
    const paths = isOfDescriptor
      ? [String(bytesIn(opened ?? ""))]
      : [...parameters!.matchAll(PATH)].map(([, base = "", hex]) =>
          path.resolve(String(bytesIn(base)), String(bytesIn(hex!))),
        );
    const [at, to] = paths.map(ownPath);
    if (at === undefined) continue;
    if (/^(open|openat|creat)$/.test(name)) {
      positions.set(result!, 0);
      const truncates = /O_TRUNC/.test(parameters!);
      if (/O_CREAT/.test(parameters!)) changes.push({ kind: "create", path: at, truncates });
      else if (truncates) changes.push({ kind: "truncate", path: at, length: 0 });
    } else if (name.startsWith("write")) {
      const position = positions.get(descriptor!) ?? 0;
      changes.push({ kind: "write", path: at, at: position, data: Buffer.concat(texts) });
      positions.set(descriptor!, position + Number(result));
    } else if (name.startsWith("pwrite")) {
      const position = Number(/(\d+)$/.exec(parameters!)![1]);
      changes.push({ kind: "write", path: at, at: position, data: Buffer.concat(texts) });
    } else if (name.endsWith("truncate")) {
      changes.push({ kind: "truncate", path: at, length: Number(/(\d+)$/.exec(parameters!)![1]) });
    } else if (name.endsWith("sync")) changes.push({ kind: "sync", path: at });
    else if (name.startsWith("mkdir")) changes.push({ kind: "mkdir", path: at });
    else if (name === "rmdir") changes.push({ kind: "rmdir", path: at });
    else if (name.startsWith("unlink"))
      changes.push({ kind: /REMOVEDIR/.test(parameters!) ? "rmdir" : "remove", path: at });
    else if (to !== undefined)
      changes.push({ kind: name.startsWith("rename") ? "rename" : "link", path: at, to });
  }
  return changes;
}

type Data = Change & { readonly kind: "write" | "truncate" };

/** A file: what is safe of it, and what may be lost. */
interface File {
  safe: Buffer;
  pending: Data[];
}

function apply(content: Buffer, change: Data): Buffer {
  const length = change.kind === "truncate" ? change.length : change.at + change.data.length;
  const next = Buffer.alloc(change.kind === "truncate" ? length : Math.max(length, content.length));
  content.copy(next);
  if (change.kind === "write") change.data.copy(next, change.at);
  return next;
}

/** Names as they are after some changes of names: the files by their paths, and the folders. */
interface Names {
  readonly files: Map<string, File>;
  readonly folders: Set<string>;
}

type Naming = (names: Names) => void;

/**
 * What the disk may hold when the power fails behind so many changes. `random` chooses among the
 * possibilities: it answers with a number from 0 to below 1.
 */
export function afterPowerLoss(
  changes: readonly Change[],
  cut: number,
  random: () => number,
): { readonly files: ReadonlyMap<string, Buffer>; readonly folders: ReadonlySet<string> } {
  const now: Names = { files: new Map(), folders: new Set() };
  const namings: { readonly naming: Naming; readonly folders: readonly string[] }[] = [];
  let safe = 0;
  const rename = (at: string, naming: Naming, to = at): void => {
    naming(now);
    namings.push({ naming, folders: [path.dirname(at), path.dirname(to)] });
  };
  for (const change of changes.slice(0, cut)) {
    const { kind, path: at } = change;
    if (kind === "write" || kind === "truncate") now.files.get(at)?.pending.push(change);
    else if (kind === "sync") {
      const file = now.files.get(at);
      if (file !== undefined) {
        file.safe = file.pending.reduce(apply, file.safe);
        file.pending = [];
      } else
        safe = Math.max(safe, namings.findLastIndex(({ folders }) => folders.includes(at)) + 1);
    } else if (change.kind === "create") {
      const known = now.files.get(at);
      if (known !== undefined) {
        if (change.truncates) known.pending.push({ kind: "truncate", path: at, length: 0 });
        continue;
      }
      const file: File = { safe: Buffer.alloc(0), pending: [] };
      rename(at, ({ files }) => files.set(at, file));
    } else if (kind === "mkdir") rename(at, ({ folders }) => folders.add(at));
    else if (kind === "rmdir") rename(at, ({ folders }) => folders.delete(at));
    else if (kind === "remove") rename(at, ({ files }) => files.delete(at));
    else if (change.kind === "rename" || change.kind === "link") {
      const { to } = change;
      rename(at, (names) => move(names, at, to, kind === "link"), to);
    }
  }
  const kept: Names = { files: new Map(), folders: new Set() };
  const count = safe + Math.floor(random() * (namings.length - safe + 1));
  for (const { naming } of namings.slice(0, count)) naming(kept);
  const contents = new Map<File, Buffer>();
  for (const file of new Set(kept.files.values()))
    contents.set(file, file.pending.filter(() => random() < 0.5).reduce(apply, file.safe));
  const files = new Map([...kept.files].map(([name, file]) => [name, contents.get(file)!]));
  return { files, folders: kept.folders };
}

function move({ files, folders }: Names, at: string, to: string, keeps: boolean): void {
  const file = files.get(at);
  if (file !== undefined) {
    files.set(to, file);
    if (!keeps) files.delete(at);
    return;
  }
  const renamed = (name: string): string => to + name.slice(at.length);
  const isBelow = (name: string): boolean => name === at || name.startsWith(`${at}/`);
  for (const name of [...folders].filter(isBelow)) {
    folders.delete(name);
    folders.add(renamed(name));
  }
  for (const [name, moved] of [...files].filter(([each]) => isBelow(each))) {
    files.delete(name);
    files.set(renamed(name), moved);
  }
}

/** Writes files and folders below a folder. */
export function restore(
  folder: string,
  { files, folders }: ReturnType<typeof afterPowerLoss>,
): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  for (const name of [...folders].sort()) mkdirSync(path.join(folder, name), { recursive: true });
  for (const [name, data] of files) writeFileSync(path.join(folder, name), data);
}
