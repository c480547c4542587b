const toUrl = (binary: string): string => btoa(binary).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

/** The bytes in base64url. @throws when it is no base64. */
export const base64urlToBytes = (encoded: string): Uint8Array<ArrayBuffer> => Uint8Array.from(atob(encoded.replace(/-/g, "+").replace(/_/g, "/")), (char) => char.charCodeAt(0));

/** Bytes as base64url, without padding. */
export function bytesToBase64url(bytes: Uint8Array): string {
  let binary = "";
  // In pieces, so that no call has more arguments than engines take.
  for (let i = 0; i < bytes.length; i += 8192) binary += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return toUrl(binary);
}

/** A text as base64url of its UTF-8, without padding. */
export function toBase64url(text: string): string {
  return toUrl(Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join(""));
}

/** The text in base64url. Other spellings of it are taken too: who wants none encodes it again and compares. @throws when it is no base64 or no UTF-8. */
export function fromBase64url(encoded: string): string {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(base64urlToBytes(encoded));
}
