import { builtin } from "../../platform/node.ts";

const { createHash } = builtin("node:crypto");

const SUFFIX = ".json";
// With the suffix well below the limit of the strictest file systems (143 bytes under eCryptfs),
// and of paths on Windows.
const LONGEST = 110;
const SHOWN = 40;
const PLAIN = /^[a-z0-9_-][a-z0-9._-]*$/;
const HASHED = /^([a-z0-9._%-]+)~[0-9a-f]{64}\.json$/;
// Names of devices on Windows, with any suffix.
const DEVICE = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/;

const escaped = (byte: number): string => `%${byte.toString(16).padStart(2, "0")}`;

/**
 * A text in lower-case letters, digits and `-._%` alone: file systems that fold case or compose
 * accents keep such names apart.
 */
function encode(text: string): string {
  if (PLAIN.test(text)) return text;
  let name = "";
  for (const byte of Buffer.from(text)) {
    const char = String.fromCharCode(byte);
    // A dot in front would hide the file.
    name += /[a-z0-9_-]/.test(char) || (char === "." && name !== "") ? char : escaped(byte);
  }
  return name;
}

/**
 * The file name of a key: no two keys share one, on no file system. Lower-case keys are readable in
 * it; a long key is cut, with a hash behind it.
 */
export function fileName(key: string): string {
  const name = encode(key);
  const safe = DEVICE.test(name) ? escaped(name.charCodeAt(0)) + name.slice(1) : name;
  if (safe.length <= LONGEST) return safe + SUFFIX;
  return `${safe.slice(0, SHOWN)}~${createHash("sha256").update(key).digest("hex")}${SUFFIX}`;
}

/** Whether a file name holds only the beginning of its key. */
export function isHashed(name: string): boolean {
  return HASHED.test(name);
}

/** The key of a file name; `null` for a foreign or a hashed name. */
export function keyOf(name: string): string | null {
  if (!name.endsWith(SUFFIX)) return null;
  try {
    const key = decodeURIComponent(name.slice(0, -SUFFIX.length));
    // Only names that we would choose are ours.
    return key !== "" && fileName(key) === name ? key : null;
  } catch {
    return null;
  }
}

/** Whether a file of this name may be of a key under the prefix. */
export function mayStartWith(name: string, prefix: string): boolean {
  const shown = HASHED.exec(name)?.[1];
  if (shown === undefined) return keyOf(name)?.startsWith(prefix) ?? false;
  const head = shown.replace(/^%(6[1-9a-f]|7[0-9a])/, (_, hex: string) =>
    String.fromCharCode(parseInt(hex, 16)),
  );
  const wanted = encode(prefix);
  return wanted.startsWith(head) || head.startsWith(wanted);
}
