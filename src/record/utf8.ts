/** The number of bytes that a text takes in UTF-8. */
export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    // Two bytes from U+0080, three from U+0800; each half of a surrogate pair stands for two of its
    // four bytes.
    if (unit > 0x7f) bytes += unit > 0x7ff && (unit < 0xd800 || unit > 0xdfff) ? 2 : 1;
  }
  return bytes;
}

/**
 * Whether a text has no lone surrogate. Most keys are short and have none: a loop is faster than a
 * call of the engine.
 */
export function isWellFormed(text: string): boolean {
  if (text.length > SHORT) return text.isWellFormed();
  for (let i = 0; i < text.length; i++)
    if ((text.charCodeAt(i) & 0xf800) === 0xd800) return text.isWellFormed();
  return true;
}

/** Up to this length a key is looked at unit by unit. */
const SHORT = 48;

/**
 * Compares two well-formed texts by their UTF-8 bytes, which is also the order of their code
 * points.
 */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    // Surrogates stand for code points above U+FFFF, so they sort behind every other unit.
    if (x !== y) return x >= 0xd800 && y >= 0xd800 ? rank(x) - rank(y) : x - y;
  }
  return a.length - b.length;
}

const rank = (unit: number): number => (unit < 0xe000 ? unit + 0x2000 : unit - 0x800);
