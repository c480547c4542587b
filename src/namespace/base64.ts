/** So many bytes become a text at once: a multiple of three, and few enough arguments for every engine. */
const PART = 24_573;

/** Bytes as base64, for clients that keep texts. */
export function toBase64(bytes: Uint8Array): string {
  const parts: string[] = [];
  for (let i = 0; i < bytes.length; i += PART) parts.push(btoa(String.fromCharCode(...bytes.subarray(i, i + PART))));
  return parts.join("");
}

/** @throws when it is no base64. */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}
