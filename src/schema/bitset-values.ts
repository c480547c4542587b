import type { Field, FieldWatchOptions, FieldWriteOptions } from "./fields.ts";

/** The widths whose numbers are bigints: a number would not hold them exactly. */
export type WideBits = 54 | 55 | 56 | 57 | 58 | 59 | 60 | 61 | 62 | 63 | 64;

/** The numbers of a bitset of this width. */
export type BitsetValue<Bits extends number> = number extends Bits
  ? number | bigint
  : Bits extends WideBits
    ? bigint
    : number;

/**
 * Signed numbers of so many bits, by index. A sum that does not fit wraps around in two's
 * complement: 127 + 1 is −128 in 8 bits.
 *
 * @example
 * import { bitset, StaticStore } from "anykv/schema";
 *
 * const levels = StaticStore("game", { levels: bitset(8) }).take("levels");
 * console.log(await levels.read(0) ?? "nothing yet"); // nothing yet
 * await levels.write(2, 127);
 * console.log(await levels.increment(2), await levels.read(0)); // -128 0
 * console.log(await levels.sum(0, 3)); // -128
 */
export interface BitsetField<Bits extends number = number> extends Field {
  /**
   * The number at an index; 0 where none was written, `undefined` when the whole field is missing.
   */
  read(index: number): Promise<BitsetValue<Bits> | undefined>;
  write(index: number, value: BitsetValue<Bits>, options?: FieldWriteOptions): Promise<void>;
  /** Adds to the number at an index; resolves to the sum. */
  increment(
    index: number,
    by?: BitsetValue<Bits>,
    options?: FieldWriteOptions,
  ): Promise<BitsetValue<Bits>>;
  /**
   * The sum from `start` to before `end`: one request. @throws {KvError} KV_INVALID_VALUE when a
   * number does not hold it exactly.
   */
  sum(start: number, end: number): Promise<BitsetValue<Bits>>;
  /** As `watch()` of other fields, of the number at an index. */
  watch(index: number, options?: FieldWatchOptions): ReadableStream<BitsetValue<Bits> | undefined>;
}
