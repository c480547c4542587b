// 64 characters in the order of their codes: texts of them sort like the bits that they stand for.
const ALPHABET = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";
const VALUES: ReadonlyMap<string, number> = new Map([...ALPHABET].map((char, i) => [char, i]));

/** Bytes as a text that sorts like them: six bits a character, the last filled up with zeros. */
export function sortableBytes(bytes: Uint8Array): string {
  let text = "";
  let bits = 0;
  let count = 0;
  for (const byte of bytes) {
    bits = (bits << 8) | byte;
    for (count += 8; count >= 6; count -= 6) text += ALPHABET[(bits >> (count - 6)) & 63];
  }
  return count === 0 ? text : text + ALPHABET[(bits << (6 - count)) & 63];
}

/** The bytes of such a text; `null` when it is none. */
export function fromSortable(text: string): Uint8Array | null {
  const bytes = new Uint8Array(Math.floor((text.length * 6) / 8));
  let at = 0;
  let bits = 0;
  let count = 0;
  for (const char of text) {
    const value = VALUES.get(char);
    if (value === undefined) return null;
    bits = (bits << 6) | value;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes[at++] = (bits >> count) & 255;
  }
  // Only the output of sortableBytes(): nothing may be left over but the padding zeros.
  return sortableBytes(bytes) === text ? bytes : null;
}

/** A number as eight bytes that sort like it: -Infinity first, -0 before 0, NaN last. */
export function bytesOfNumber(value: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(8));
  // Every NaN is one key, whatever bits the engine gave it.
  view.setFloat64(0, Number.isNaN(value) ? NaN : value);
  if (Number.isNaN(value)) view.setUint32(0, 0x7ff80000);
  const isNegative = view.getUint8(0) >= 128;
  const bytes = new Uint8Array(view.buffer);
  return isNegative
    ? bytes.map((byte) => ~byte)
    : bytes.map((byte, i) => (i === 0 ? byte | 128 : byte));
}

/** The number of eight such bytes. */
export function numberOf(bytes: Uint8Array): number {
  const isNegative = bytes[0]! < 128;
  const plain = isNegative
    ? bytes.map((byte) => ~byte)
    : bytes.map((byte, i) => (i === 0 ? byte & 127 : byte));
  return new DataView(plain.buffer).getFloat64(0);
}

/**
 * A bigint of up to 255 bytes as bytes that sort like it: its length, then its digits; both
 * inverted below zero. `null` for a longer one.
 */
export function bytesOfBigint(value: bigint): Uint8Array | null {
  const isNegative = value < 0n;
  const hex = value === 0n ? "" : (isNegative ? -value : value).toString(16);
  const length = Math.ceil(hex.length / 2);
  if (length > 255) return null;
  const digits = hex.padStart(length * 2, "0");
  const bytes = Uint8Array.from({ length: length + 2 }, (_, i) =>
    i < 2 ? 0 : Number.parseInt(digits.slice(i * 2 - 4, i * 2 - 2), 16),
  );
  bytes[0] = isNegative ? 0 : 1;
  bytes[1] = length;
  return isNegative ? bytes.map((byte, i) => (i === 0 ? 0 : ~byte)) : bytes;
}

/** The bigint of such bytes. */
export function bigintOf(bytes: Uint8Array): bigint {
  const isNegative = bytes[0] === 0;
  let value = 0n;
  for (const byte of bytes.subarray(2))
    value = (value << 8n) | BigInt(isNegative ? ~byte & 255 : byte);
  return isNegative ? -value : value;
}
