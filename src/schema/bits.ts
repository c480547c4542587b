/** How many bits of a bitset there may be: as many as make up 32 MiB. */
export const MOST_BITS: number = 2 ** 28;

/** Up to 32 bits from a position on, as a number without a sign. Bits past the end are 0. */
function unsignedAt(bytes: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let done = 0; done < count;) {
    const inByte = (at + done) % 8;
    const taken = Math.min(8 - inByte, count - done);
    const byte = bytes[(at + done - inByte) / 8] ?? 0;
    value = value * 2 ** taken + ((byte >> (8 - inByte - taken)) & (2 ** taken - 1));
    done += taken;
  }
  return value;
}

function putUnsigned(bytes: Uint8Array, at: number, count: number, value: number): void {
  for (let left = count; left > 0;) {
    const last = at + left - 1;
    const behind = 7 - (last % 8);
    const taken = Math.min(8 - behind, left);
    const place = (last - (last % 8)) / 8;
    const mask = (2 ** taken - 1) << behind;
    bytes[place] = (bytes[place]! & ~mask) | (((value % 2 ** taken) << behind) & mask);
    value = Math.floor(value / 2 ** taken);
    left -= taken;
  }
}

/**
 * The signed number of so many bits at an index, the most significant bit first: as Redis has it.
 */
export function bitsAt(bytes: Uint8Array, bits: number, index: number): bigint {
  const high = Math.max(0, bits - 32);
  const low = BigInt(unsignedAt(bytes, index * bits + high, bits - high));
  return BigInt.asIntN(
    bits,
    high === 0 ? low : (BigInt(unsignedAt(bytes, index * bits, high)) << 32n) | low,
  );
}

/**
 * The bytes with a number put in: those given, or a longer copy. Excess bits are cut off.
 */
export function withBits(
  bytes: Uint8Array,
  bits: number,
  index: number,
  value: bigint,
): Uint8Array {
  const length = Math.ceil(((index + 1) * bits) / 8);
  const grown = length > bytes.length ? new Uint8Array(length) : bytes;
  if (grown !== bytes) grown.set(bytes);
  const high = Math.max(0, bits - 32);
  const unsigned = BigInt.asUintN(bits, value);
  if (high > 0) putUnsigned(grown, index * bits, high, Number(unsigned >> 32n));
  putUnsigned(
    grown,
    index * bits + high,
    bits - high,
    Number(BigInt.asUintN(bits - high, unsigned)),
  );
  return grown;
}
