const SUFFIX = ".json";
// A part becomes a folder or a file: well below the longest name of any file system.
const LONGEST = 100;
const PARTS = /.{1,100}/g;
// Windows takes these for devices, whatever stands behind the dot.
const DEVICE = /^(?:con|prn|aux|nul|com\d|lpt\d)(?=\.|$)/;

const escaped = (byte: number): string => `%${byte.toString(16).padStart(2, "0")}`;

/**
 * The name of a key in an unstorage: lower-case letters, digits, `_`, `-` and inner dots as they
 * are, every other byte of its UTF-8 as `%xx`, and `.json`. Long ones are parted by `~:`, so that
 * no part is too long for a file name. No two keys share a name, also where case is folded, and
 * none is the folder of another.
 */
export function itemName(key: string): string {
  let name = "";
  for (const byte of new TextEncoder().encode(key)) {
    const char = String.fromCharCode(byte);
    name += /[a-z0-9_-]/.test(char) || (char === "." && name !== "") ? char : escaped(byte);
  }
  if (DEVICE.test(name)) name = escaped(name.charCodeAt(0)) + name.slice(1);
  return (name.length > LONGEST ? name.match(PARTS)!.join("~:") : name) + SUFFIX;
}

/** The key of such a name; `null` for a name that is none. */
export function keyOfItem(name: string): string | null {
  if (!name.endsWith(SUFFIX)) return null;
  try {
    const key = decodeURIComponent(name.slice(0, -SUFFIX.length).replaceAll("~:", ""));
    // Only names that we would choose are ours.
    return key !== "" && itemName(key) === name ? key : null;
  } catch {
    return null;
  }
}
