/** So many bytes become a text at once: few enough arguments for every engine. */
const PART = 8192;

/** Bytes as base64, for clients that keep texts. */
export function toBase64(bytes: Uint8Array): string {
  const parts: string[] = [];
  // A typed array as the arguments: spread, it would take ten times as long.
  for (let i = 0; i < bytes.length; i += PART) parts.push(String.fromCharCode.apply(null, bytes.subarray(i, i + PART) as unknown as number[]));
  return btoa(parts.join(""));
}

/** @throws when it is no base64. */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}
