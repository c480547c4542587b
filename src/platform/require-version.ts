import { KvError } from "../errors.ts";

const numbersOf = (version: string): number[] =>
  version.split(".").map((part) => Number.parseInt(part, 10));

/** Whether a version such as "3.4.38" is older than one such as "3.5". */
function isOlder(version: string, than: string): boolean {
  const found = numbersOf(version);
  for (const [i, needed] of numbersOf(than).entries()) {
    if (found[i] !== needed) return !(found[i]! > needed);
  }
  return false;
}

/**
 * Checks the version of a package that the application has installed.
 *
 * @param entry the entry that imports the package, such as "anykv/reactive/vue".
 * @param found the version that the package exports; `undefined` when it exports none.
 * @throws {KvError} KV_NOT_SUPPORTED when the version is older than `needed` or unknown.
 */
export function requireVersion(
  entry: string,
  name: string,
  needed: string,
  found: string | undefined,
): void {
  if (found !== undefined && !isOlder(found, needed)) return;
  const installed = found === undefined ? "an older version" : `version ${found}`;
  const message = `${entry} needs ${name} ${needed} or later, but ${installed} is installed`;
  throw new KvError("KV_NOT_SUPPORTED", `${message}: npm install ${name}@latest`);
}
