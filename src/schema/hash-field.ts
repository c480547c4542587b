import type { Cell } from "./cell.ts";
import { memberOf, oneOrMore, pairsOf } from "./checks.ts";
import { fieldOf, watchCell } from "./field-base.ts";
import type { HashField } from "./fields.ts";

export function hashField(cell: Cell): HashField {
  const size = (): Promise<number> => cell.read("hash.size");
  const get = async (name: string): Promise<string | undefined> =>
    (await cell.read("hash.get", memberOf(cell, name))) ?? undefined;
  async function read(): Promise<{ [name: string]: string } | undefined> {
    const entries = await cell.read("hash.read");
    // fromEntries makes own properties, so that a name such as "__proto__" is one like any other.
    return entries.length === 0 ? undefined : Object.fromEntries(entries);
  }
  return {
    ...fieldOf(cell, async (steps) => (await steps.read("hash.size")) > 0),
    read,
    write: async (entries, options) =>
      cell.write(options, "hash.write", pairsOf(cell, entries, memberOf)),
    get,
    set: async (name, value, options) =>
      (await cell.write(options, "hash.set", [
        [memberOf(cell, name), memberOf(cell, value, [name])],
      ])) > 0,
    setAll: async (entries, options) =>
      cell.write(options, "hash.set", pairsOf(cell, entries, memberOf)),
    remove: async (names, options) => cell.write(options, "hash.remove", oneOrMore(cell, names)),
    has: async (name) => (await get(name)) !== undefined,
    fields: () => cell.read("hash.names"),
    size,
    watch: (options) =>
      watchCell(
        cell,
        read,
        options,
        (entries) => entries && Object.entries(entries).sort(([a], [b]) => (a < b ? -1 : 1)),
      ),
  };
}
