import { KvError, type KvErrorCode } from "../errors.ts";
import { isPlain } from "../record/json.ts";

// Options of other libraries, by the option of this one that does the same.
const OTHER_NAMES: readonly [option: string, names: RegExp][] = [
  ["expires", /^(ttl|[ep]x|max_?age)/i],
  ["expirationTtl", /^(ttl|[ep]x|max_?age)/i],
  ["prefix", /^(pre|namespace|base)/i],
  ["limit", /^(count|take|max|size)/i],
];

/**
 * Throws unless `options` is `undefined` or an object whose members are all in `known`. A known
 * member may be `undefined`.
 *
 * @param where the function that takes the options, for the message: `"kv()"`.
 * @param code the code for something that is not an object, such as a duration in its place.
 * @throws {KvError} `code` for anything but an object; KV_INVALID_VALUE for an unknown member:
 * "ttl is not an option of set(): did you mean expires?".
 */
export function checkOptions(
  options: unknown,
  known: readonly string[],
  where: string,
  code: KvErrorCode = "KV_INVALID_VALUE",
): void {
  if (options === undefined) return;
  const names = known.join(", ");
  // Arrays, Dates, functions and stores, which can be iterated, are objects too. None of them is
  // meant, and neither is a client whose members are all private.
  const isObject =
    Object.prototype.toString.call(options) === "[object Object]" &&
    !(Symbol.asyncIterator in (options as object));
  const members = isObject ? Object.keys(options as object) : [];
  if (!isObject || (members.length === 0 && !isPlain(options as object, false))) {
    throw new KvError(code, `the options of ${where} are an object: { ${names} }`);
  }
  for (const name of members) {
    if (known.includes(name)) continue;
    const meant = OTHER_NAMES.find(([option, other]) => known.includes(option) && other.test(name));
    const hint = meant ? `did you mean ${meant[0]}?` : `it takes ${names}`;
    throw new KvError("KV_INVALID_VALUE", `${name} is not an option of ${where}: ${hint}`);
  }
}

const WRITE_OPTIONS = ["expires", "metadata", "prefix"];

/**
 * {@link checkOptions} for `set()`, `add()`, `setMany()` and the writes of `commit()`. An array is
 * the last argument of `keys.map(store.set)`, and ignored.
 *
 * @throws {KvError} KV_INVALID_EXPIRES for anything else but an object, KV_INVALID_VALUE for an
 * unknown member.
 */
export function checkWriteOptions(options: unknown): void {
  if (!Array.isArray(options))
    checkOptions(options, WRITE_OPTIONS, "a write", "KV_INVALID_EXPIRES");
}
