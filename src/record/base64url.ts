/** A text of characters up to U+00FF, one for each byte, as base64url without padding. */
export const fromBinary = (binary: string): string =>
  btoa(binary).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

/** The text of bytes in base64url. @throws when it is no base64. */
export const toBinary = (encoded: string): string =>
  atob(encoded.replace(/-/g, "+").replace(/_/g, "/"));

/** A text as base64url of its UTF-8, without padding. */
export function toBase64url(text: string): string {
  return fromBinary(
    Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join(""),
  );
}

/**
 * The text in base64url. Other spellings of it are taken too: who wants none encodes it again and
 * compares. @throws when it is no base64 or no UTF-8.
 */
export function fromBase64url(encoded: string): string {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
    Uint8Array.from(toBinary(encoded), (char) => char.charCodeAt(0)),
  );
}
