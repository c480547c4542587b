import { base64urlToBytes, type Bytes, bytesToBase64url } from "../record/bytes.ts";
import type { Json } from "../types.ts";

/** How the values of a transform are told from others: bytes begin with `magic`. */
export interface Seal {
  /** Four characters. */
  readonly magic: string;
  /** The only member of the object that stands for bytes in a client of JSON. */
  readonly name: string;
}

const encoder = new TextEncoder();

/** Bytes of a text. */
export const utf8 = (text: string): Bytes => encoder.encode(text);

export function concatBytes(...parts: readonly Uint8Array[]): Bytes {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** The bytes of a value of a namespace; `undefined` for JSON. */
export const bytesIn = (value: unknown): Uint8Array | undefined =>
  value instanceof Uint8Array ? value : undefined;

/** The value that a client keeps for bytes behind a seal. */
export function sealed(seal: Seal, content: Uint8Array, keepsBytes: boolean): Json {
  const bytes = concatBytes(utf8(seal.magic), content);
  // Adapters take bytes where `supports.bytes`.
  return keepsBytes ? (bytes as unknown as Json) : { [seal.name]: bytesToBase64url(bytes) };
}

/** Whether a value is, or only looks like, one that {@link sealed} made. */
export function isSealed({ magic, name }: Seal, value: unknown): boolean {
  const bytes = bytesIn(value);
  if (bytes !== undefined)
    return bytes.length >= 4 && utf8(magic).every((byte, i) => bytes[i] === byte);
  if (typeof value !== "object" || value === null) return false;
  const text = (value as { [name: string]: unknown })[name];
  return typeof text === "string" && Object.keys(value).length === 1;
}

/** The content behind the seal; `undefined` for anything that {@link sealed} did not make. */
export function unsealed(seal: Seal, value: Json): Bytes | undefined {
  if (!isSealed(seal, value)) return undefined;
  const bytes = bytesIn(value);
  if (bytes !== undefined) return bytes.slice(seal.magic.length);
  try {
    const decoded = base64urlToBytes((value as { [name: string]: string })[seal.name]!);
    return isSealed(seal, decoded) ? decoded.slice(seal.magic.length) : undefined;
  } catch {
    // No base64: the text was changed.
    return undefined;
  }
}
