/** How many slots a Redis Cluster has. */
const SLOTS = 16384;

// CRC16-CCITT (XMODEM), as the specification of Redis Cluster has it.
const TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc;
});
const encoder = new TextEncoder();

/**
 * The part of a key that chooses its slot: the text in the first braces, unless it is empty, else
 * the whole key.
 */
function hashed(key: string): string {
  const open = key.indexOf("{");
  const close = open === -1 ? -1 : key.indexOf("}", open + 1);
  return close > open + 1 ? key.slice(open + 1, close) : key;
}

/** The slot of a key in a Redis Cluster. */
export function slotOf(key: string): number {
  let crc = 0;
  for (const byte of encoder.encode(hashed(key)))
    crc = (crc << 8) ^ TABLE[((crc >> 8) ^ byte) & 0xff]!;
  return (crc & 0xffff) % SLOTS;
}

/** The places of keys in a list, by slot. */
export function bySlot(keys: readonly string[]): number[][] {
  const groups = new Map<number, number[]>();
  keys.forEach((key, i) => {
    const slot = slotOf(key);
    const group = groups.get(slot);
    if (group === undefined) groups.set(slot, [i]);
    else group.push(i);
  });
  return [...groups.values()];
}

/** The slot of all keys with a prefix; `null` when its hash tag is not complete. */
export function slotOfPrefix(prefix: string): number | null {
  return hashed(prefix) === prefix ? null : slotOf(prefix);
}

const tags = new Map<number, string>();
let tried = 0;

/** A hash tag of a slot: the same in every process. */
export function tagOf(slot: number): string {
  for (; !tags.has(slot); tried++) {
    const text = tried.toString(36);
    const other = slotOf(text);
    if (!tags.has(other)) tags.set(other, text);
  }
  return tags.get(slot)!;
}
