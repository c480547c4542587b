import { KvError } from "../../../errors.ts";
import { builtin } from "../../../platform/node.ts";

const fs = builtin("node:fs");
const { basename, dirname, join, resolve } = builtin("node:path");
const { fileURLToPath } = builtin("node:url");

/** A `URL`, as far as it is used. */
export interface FileUrl {
  readonly href: string;
}

/** The path behind every symbolic link, whether or not something is there yet. */
function realPath(path: string, links = 0): string {
  try {
    return fs.realpathSync.native(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT" || dirname(path) === path || links > 40)
      throw error;
  }
  const real = join(realPath(dirname(path), links), basename(path));
  let target: string;
  try {
    target = fs.readlinkSync(real);
  } catch {
    return real;
  }
  return realPath(resolve(dirname(real), target), links + 1);
}

/**
 * The real path that a `file:` URL, or the text of one, stands for. Two spellings of one place give
 * one path.
 *
 * @throws {KvError} KV_INVALID_CLIENT when the URL names no path of this machine.
 */
export function pathOf(client: FileUrl | string, type: string): string {
  const href = typeof client === "string" ? client : client.href;
  if (fileURLToPath === undefined) {
    throw new KvError(
      "KV_INVALID_CLIENT",
      "there is no file system here: files and folders need Node 22.3 or later, Bun or Deno",
      { client: type },
    );
  }
  try {
    if (!href.startsWith("file://")) throw new TypeError("the path is relative");
    const { search, hash, pathname } = new URL(href);
    // A raw "?" or "#" cuts the path short, and the data would go elsewhere.
    if (search !== "" || hash !== "") throw new TypeError(`the path ends at ${pathname}`);
    // Without the slash at the end, which would make a file there no path at all.
    return realPath(resolve(fileURLToPath(href)));
  } catch (cause) {
    // Only what is wrong with the path itself: of all else, such as a permission that is missing,
    // the file system speaks for itself.
    const { name, code } = cause as NodeJS.ErrnoException;
    if (!/^(Type|URI)Error$/.test(name) && code !== "ENOTDIR") throw cause;
    throw new KvError(
      "KV_INVALID_CLIENT",
      `${href} names no path: make the URL with pathToFileURL() of "node:url"`,
      { client: type, cause },
    );
  }
}

/** Makes one value for each path, and keeps it while it is in use. */
export function onePerPath<T extends object>(make: (path: string) => T): (path: string) => T {
  const made = new Map<string, WeakRef<T>>();
  return (path) => {
    let one = made.get(path)?.deref();
    if (one === undefined) made.set(path, new WeakRef((one = make(path))));
    return one;
  };
}
