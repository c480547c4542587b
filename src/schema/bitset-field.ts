import { KvError } from "../errors.ts";
import { MOST_BITS } from "./bits.ts";
import type { Cell } from "./cell.ts";
import { fail } from "./checks.ts";
import { fieldOf, watchCell } from "./field-base.ts";
import type { BitsetField } from "./bitset-values.ts";

/** The type of a bitset: the result of {@link bitset}. */
export interface BitsetType<Bits extends number = number> {
  /** The width of a number. */
  readonly bits: Bits;
  readonly kind: "bitset";
}

/**
 * The type of a field of signed numbers of so many bits each, as compact as can be: see
 * {@link BitsetField}.
 *
 * @param bits a whole number from 2 to 64. From 54 on the numbers are bigints, below they are
 * numbers.
 * @throws {KvError} KV_INVALID_VALUE at once for anything else.
 * @example
 * import { bitset, DynamicStore } from "anykv/schema";
 *
 * const votes = DynamicStore("votes", bitset(64));
 * await votes.take("poll").write(0, 2n ** 63n - 1n);
 * console.log(String(await votes.take("poll").increment(0))); // "-9223372036854775808"
 */
export function bitset<const Bits extends number>(bits: Bits): BitsetType<Bits> {
  if (!isWidth(bits)) throw new KvError("KV_INVALID_VALUE", "a bitset has numbers of 2 to 64 bits");
  return Object.freeze({ kind: "bitset", bits });
}

const isWidth = (bits: unknown): boolean =>
  Number.isInteger(bits) && (bits as number) >= 2 && (bits as number) <= 64;

/** Whether something is the type of a bitset. */
export function isBitsetType(type: unknown): type is BitsetType {
  const { kind, bits } = Object(type) as Partial<BitsetType>;
  return kind === "bitset" && isWidth(bits);
}

/** From this width on a number would not hold every value. */
const WIDE = 54;

/**
 * The field of a bitset: the type of its numbers depends on the width alone, so that `never` stands
 * for both here.
 */
export function bitsetField(cell: Cell, bits: number): BitsetField<never> {
  const isWide = bits >= WIDE;
  const indexOf = (index: unknown): number => {
    if (!Number.isSafeInteger(index) || (index as number) < 0)
      return fail(cell, "an index: a whole number from 0", index);
    if (((index as number) + 1) * bits > MOST_BITS)
      throw new KvError(
        "KV_TOO_LARGE",
        `a bitset has up to ${MOST_BITS} bits, which is ${Math.floor(MOST_BITS / bits)} numbers ` +
          "of this width",
        { client: cell.client, key: cell.full },
      );
    return index as number;
  };
  const valueOf = (value: unknown): bigint => {
    if (isWide)
      return typeof value === "bigint" ? BigInt.asIntN(bits, value) : fail(cell, "a bigint", value);
    return Number.isSafeInteger(value)
      ? BigInt.asIntN(bits, BigInt(value as number))
      : fail(cell, "a whole number", value);
  };
  const out = (value: bigint): never => {
    const number = isWide ? value : Number(value);
    if (isWide || Number.isSafeInteger(number)) return number as never;
    throw new KvError("KV_INVALID_VALUE", "the sum is beyond what a number holds exactly", {
      client: cell.client,
      key: cell.full,
    });
  };
  async function read(index: number): Promise<undefined> {
    const value = await cell.read("bitset.get", bits, indexOf(index));
    return value === null ? undefined : out(value);
  }
  const step = (isWide ? 1n : 1) as never;
  return {
    ...fieldOf(cell, async (steps) => (await steps.read("bitset.get", bits, 0)) !== null),
    read,
    write: async (index, value, options) =>
      cell.write(options, "bitset.set", bits, indexOf(index), valueOf(value)),
    increment: async (index, by = step, options) =>
      out(await cell.write(options, "bitset.increment", bits, indexOf(index), valueOf(by))),
    async sum(start, end) {
      for (const place of [start, end] as unknown[])
        if (place !== Infinity && (!Number.isSafeInteger(place) || (place as number) < 0))
          fail(cell, "an index: a whole number from 0", place);
      return out(await cell.read("bitset.sum", bits, start, end));
    },
    watch: (index, options) => watchCell(cell, () => read(index), options, String),
  };
}
