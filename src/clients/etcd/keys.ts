import type { EtcdRange } from "./calls.ts";
import type { PageQuery } from "../adapter.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

// As a start the first key of all, as an end the end of all.
const ZERO = new Uint8Array(1);

/** The bytes of a text. */
export const encodeText = (text: string): Uint8Array => encoder.encode(text);

/** The text of bytes. */
export const decodeText = (bytes: Uint8Array): string => decoder.decode(bytes);

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  if (a.length === 0) return b;
  const all = new Uint8Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}

/** The first bytes behind all that begin with these. */
function endOf(prefix: Uint8Array): Uint8Array {
  const last = prefix.findLastIndex((byte) => byte < 0xff);
  if (last === -1) return ZERO;
  const end = prefix.slice(0, last + 1);
  end[last]!++;
  return end;
}

/** The keys of a client: those of a namespace stand behind its prefix. */
export class EtcdKeys {
  readonly #namespace: Uint8Array;

  constructor(namespace: Uint8Array) {
    this.#namespace = Uint8Array.from(namespace);
  }

  /** A key as the server has it. */
  bytes(key: string): Uint8Array {
    return joined(this.#namespace, encoder.encode(key));
  }

  /** The key of a server's key; `null` for foreign bytes that are no text. */
  text(bytes: Uint8Array): string | null {
    const own = this.#namespace.length === 0 ? bytes : bytes.subarray(this.#namespace.length);
    const text = decoder.decode(own);
    return text.includes("\ufffd") && !sameBytes(encoder.encode(text), own) ? null : text;
  }

  /** The range of a page. `after` may be a key as the server has it. */
  range({
    prefix,
    after,
    reverse,
  }: Pick<PageQuery, "prefix" | "reverse"> & { after: string | Uint8Array | null }): EtcdRange {
    const start = this.bytes(prefix);
    const key = start.length === 0 ? ZERO : start;
    const behind = typeof after === "string" ? this.bytes(after) : after;
    // Without a word on their order, the server gives keys in order, and stops at the limit. For
    // another order it reads the whole range.
    if (reverse)
      return { key, range_end: behind ?? endOf(start), sort_order: "Descend", sort_target: "Key" };
    return { key: behind === null ? key : joined(behind, ZERO), range_end: endOf(start) };
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
