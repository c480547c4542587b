/**
 * Linear hashing: a collection grows by one part at a time, and only the members of one other part
 * move. Source: W. Litwin, "Linear Hashing: A New Tool for File and Table Addressing", 1980.
 */

/** A number of 32 bits for a text. The seed makes it another one in each collection. */
export function hashOf(text: string, seed: string): number {
  // FNV-1a over UTF-16 code units, with the last steps of MurmurHash3, which mix the low bits.
  let hash = 0x811c9dc5;
  for (const part of [seed, text])
    for (let i = 0; i < part.length; i++) hash = Math.imul(hash ^ part.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

const powerBelow = (count: number): number => 2 ** (31 - Math.clz32(count));

/** The part of a hash among so many parts. */
export function partOf(hash: number, count: number): number {
  const low = powerBelow(count);
  const index = hash % (2 * low);
  return index < count ? index : index - low;
}

/** The part whose members are divided when part `index` is added to `count` parts. */
export function sourceOf(index: number, count: number): number {
  let source = index;
  while (source >= count) source -= powerBelow(source);
  return source;
}
