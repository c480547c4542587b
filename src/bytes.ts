import { fromBinary, toBinary } from "./base64url.ts";

/** Bytes as base64url, without padding. */
export function bytesToBase64url(bytes: Uint8Array): string {
  let binary = "";
  // In pieces, so that no call has more arguments than engines take; what is no array is spread many times slower.
  for (let i = 0; i < bytes.length; i += 8192) binary += String.fromCharCode.apply(null, bytes.subarray(i, i + 8192) as unknown as number[]);
  return fromBinary(binary);
}

/** The bytes in base64url. @throws when it is no base64. */
export function base64urlToBytes(encoded: string): Uint8Array<ArrayBuffer> {
  const binary = toBinary(encoded);
  const bytes = new Uint8Array(binary.length);
  // A loop is many times as fast as a function for each.
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}
