import type { Cell } from "./cell.ts";
import { rangeEnd, membersOf, oneOrMore, indexOf } from "./checks.ts";
import { fieldOf, watchCell } from "./field-base.ts";
import type { ListField } from "./fields.ts";

export function listField(cell: Cell): ListField {
  const size = (): Promise<number> => cell.read("list.size");
  async function read(): Promise<string[] | undefined> {
    const items = await cell.read("list.range", 0, null);
    return items.length === 0 ? undefined : items;
  }
  return {
    ...fieldOf(cell, async (steps) => (await steps.read("list.size")) > 0),
    read,
    write: async (items, options) => cell.write(options, "list.write", membersOf(cell, items)),
    push: async (items, options) => cell.write(options, "list.push", oneOrMore(cell, items)),
    unshift: async (items, options) => cell.write(options, "list.unshift", oneOrMore(cell, items)),
    pop: async (options) => (await cell.write(options, "list.pop")) ?? undefined,
    shift: async (options) => (await cell.write(options, "list.shift")) ?? undefined,
    range: async (start = 0, end) =>
      cell.read("list.range", indexOf(cell, start), rangeEnd(cell, end)),
    trim: async (start, end, options) =>
      cell.write(options, "list.trim", indexOf(cell, start), rangeEnd(cell, end)),
    size,
    watch: (options) => watchCell(cell, read, options),
  };
}
