import { KvError } from "../errors.ts";
import type { Cell } from "./cell.ts";
import { rangeEnd, finite, memberOf, oneOrMore, pairsOf, indexOf, fail } from "./checks.ts";
import { fieldOf, watchCell } from "./field-base.ts";
import type { SortedField, SortedOptions } from "./fields.ts";

function isReversed(cell: Cell, where: string, options: SortedOptions = {}): boolean {
  if (Object(options) !== options) return fail(cell, "options, an object", options);
  cell.checkOptions(options, ["reverse"], where);
  const { reverse = false } = options;
  return typeof reverse === "boolean" ? reverse : fail(cell, "a boolean", reverse, ["reverse"]);
}

export function sortedField(cell: Cell): SortedField {
  const isReverse = (where: string, options?: SortedOptions): boolean =>
    isReversed(cell, where, options);
  const bound = (value: unknown): number =>
    typeof value === "number" && !Number.isNaN(value) ? value + 0 : fail(cell, "a number", value);
  async function read(): Promise<Map<string, number> | undefined> {
    const entries = await cell.read("sorted.range", 0, null, false);
    return entries.length === 0 ? undefined : new Map(entries);
  }
  return {
    ...fieldOf(cell, async (steps) => (await steps.read("sorted.size")) > 0),
    read,
    write: async (entries, options) =>
      cell.write(options, "sorted.write", pairsOf(cell, entries, finite)),
    add: async (member, score, options) =>
      (await cell.write(options, "sorted.add", [
        [memberOf(cell, member), finite(cell, score, [member])],
      ])) > 0,
    addAll: async (entries, options) =>
      cell.write(options, "sorted.add", pairsOf(cell, entries, finite)),
    remove: async (members, options) =>
      cell.write(options, "sorted.remove", oneOrMore(cell, members)),
    async increment(member, by = 1, options) {
      const score = await cell.write(
        options,
        "sorted.increment",
        memberOf(cell, member),
        finite(cell, by),
      );
      if (score === null)
        throw new KvError("KV_INVALID_VALUE", "the score would not be finite", {
          client: cell.client,
          key: cell.full,
        });
      return score;
    },
    score: async (member) => (await cell.read("sorted.score", memberOf(cell, member))) ?? undefined,
    rank: async (member, options) =>
      (await cell.read("sorted.rank", memberOf(cell, member), isReverse("rank()", options))) ??
      undefined,
    range: async (start = 0, end, options) =>
      (
        await cell.read(
          "sorted.range",
          indexOf(cell, start),
          rangeEnd(cell, end),
          isReverse("range()", options),
        )
      ).map(([member, score]) => [member, score]),
    between: async (min = -Infinity, max = Infinity, options) =>
      (
        await cell.read("sorted.between", bound(min), bound(max), isReverse("between()", options))
      ).map(([member, score]) => [member, score]),
    size: () => cell.read("sorted.size"),
    watch: (options) => watchCell(cell, read, options, (entries) => entries && [...entries]),
  };
}
