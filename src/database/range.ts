/**
 * The first text behind every text that starts with `prefix`, by UTF-8 bytes; `null` when nothing
 * can be behind them (the prefix is empty or consists of U+10FFFF alone).
 */
export function prefixEnd(prefix: string): string | null {
  let end = prefix.length;
  while (prefix.endsWith("\u{10ffff}", end)) end -= 2;
  if (end === 0) return null;
  const start = end - (/[\udc00-\udfff]/.test(prefix[end - 1]!) ? 2 : 1);
  const last = prefix.codePointAt(start)!;
  // No text holds a lone surrogate: U+D7FF is followed by U+E000.
  return prefix.slice(0, start) + String.fromCodePoint(last === 0xd7ff ? 0xe000 : last + 1);
}

/**
 * A page ends early after about this many characters of records, so that large values do not pile
 * up.
 */
export const PAGE_LENGTH = 1_000_000;
