import { fromBinary, toBinary } from "./base64url.ts";

/**
 * Bytes over an `ArrayBuffer`. Unlike `Uint8Array<ArrayBuffer>`, TypeScript before 5.7 can read it.
 */
export type Bytes = ReturnType<TextEncoder["encode"]>;

/** Bytes as a text of characters up to U+00FF, one for each, as `btoa` takes it. */
export function binaryOf(bytes: Uint8Array): string {
  let binary = "";
  // In pieces, so that no call has more arguments than engines take. Spreading anything but an
  // array is many times slower.
  for (let i = 0; i < bytes.length; i += 8192)
    binary += String.fromCharCode.apply(null, bytes.subarray(i, i + 8192) as unknown as number[]);
  return binary;
}

/** The reverse, for the result of `atob`. */
export function bytesOf(binary: string): Bytes {
  const bytes = new Uint8Array(binary.length);
  // A loop is many times as fast as a function for each.
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/** Bytes as base64url, without padding. */
export const bytesToBase64url = (bytes: Uint8Array): string => fromBinary(binaryOf(bytes));

/** The bytes in base64url. @throws when it is no base64. */
export const base64urlToBytes = (encoded: string): Bytes => bytesOf(toBinary(encoded));

/**
 * The digest of a text, in hexadecimal digits. @throws where there is no WebCrypto, as in a page
 * without https.
 */
export async function digestOf(algorithm: "SHA-1" | "SHA-256", text: string): Promise<string> {
  const hash = await crypto.subtle.digest(algorithm, new TextEncoder().encode(text));
  return Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
