import type { Cell } from "./cell.ts";
import { memberOf, membersOf, oneOrMore, fail } from "./checks.ts";
import { fieldOf, watchCell } from "./field-base.ts";
import type { SetField } from "./fields.ts";

// By field: how others of the same client are intersected there.
const cells = new WeakMap<SetField, Cell>();

/** The members that all of the sets have. */
function common([first, ...rest]: readonly (ReadonlySet<string> | undefined)[]): Set<string> {
  return new Set(
    [...(first ?? [])].filter((member) => rest.every((members) => members?.has(member))),
  );
}

export function setField(cell: Cell): SetField {
  async function read(): Promise<Set<string> | undefined> {
    const members = await cell.read("set.read");
    return members.length === 0 ? undefined : new Set(members);
  }
  const size = (): Promise<number> => cell.read("set.size");

  /** The cells of others, if all of them are of this client. */
  function cellsOf(others: readonly SetField[]): Cell[] | null {
    const found = others.map((other) => cells.get(other));
    const { connection } = cell.base.context;
    return found.every((other) => other?.base.context.connection === connection)
      ? (found as Cell[])
      : null;
  }
  async function intersect(...others: readonly SetField[]): Promise<Set<string>> {
    for (const other of others as readonly unknown[])
      if (typeof (Object(other) as Partial<SetField>).intersect !== "function")
        fail(cell, "a set field", other);
    const own = cellsOf(others);
    if (own === null)
      return common(await Promise.all([read(), ...others.map((other) => other.read())]));
    return cell.inTurn(
      "read",
      async (steps, stepsOf) => {
        const native = steps.native();
        if (native !== undefined)
          return new Set(
            await native(
              "set.intersect",
              {},
              own.map(({ full }) => full),
            ),
          );
        const all = await Promise.all(
          [steps, ...own.map(stepsOf)].map((each) => each.read("set.read")),
        );
        return common(all.map((members) => new Set(members)));
      },
      own,
    );
  }
  const field: SetField = {
    ...fieldOf(cell, async (steps) => (await steps.read("set.size")) > 0),
    read,
    write: async (members, options) => cell.write(options, "set.write", membersOf(cell, members)),
    add: async (members, options) => cell.write(options, "set.add", oneOrMore(cell, members)),
    remove: async (members, options) => cell.write(options, "set.remove", oneOrMore(cell, members)),
    has: async (member) => cell.read("set.has", memberOf(cell, member)),
    size,
    intersect,
    watch: (options) => watchCell(cell, read, options, (members) => members && [...members].sort()),
  };
  cells.set(field, cell);
  return field;
}
