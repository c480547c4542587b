import { KvError } from "../errors.ts";
import type { Bytes } from "../record/bytes.ts";
import {
  bytesIn,
  concatBytes,
  isSealed,
  type Seal,
  sealed,
  unsealed,
  utf8,
} from "../store/envelope.ts";
import type { RecordContent, Decoded, Transform } from "../store/transformed-adapter.ts";
import type { Json } from "../types.ts";
import { gunzip, gzip, TooLong } from "./gzip.ts";

const SEAL: Seal = { magic: "akz1", name: "$compressed" };

// The first byte of what is kept.
const IS_BYTES = 1;
const IS_ZIPPED = 2;

/** What is compressed, and what is taken. */
export interface CompressionLimits {
  /** Values of more bytes are compressed. */
  readonly over: number;
  /** Values of more bytes are rejected. */
  readonly maxBytes: number;
  readonly keepsBytes: boolean;
}

/** Whether a value is so short that it need not be turned into JSON to be sure. */
function isShort(value: Json, over: number): boolean {
  if (typeof value === "string") return value.length * 6 + 2 <= over;
  return typeof value !== "object" && over >= 24;
}

/** Large values in gzip. Metadata and small values stay as they are. */
export class Compression implements Transform {
  readonly keepsNumbers = true;
  readonly #limits: CompressionLimits;

  constructor(limits: CompressionLimits) {
    this.#limits = limits;
  }

  encode(content: RecordContent, key: string): RecordContent | Promise<RecordContent> {
    const { over, maxBytes } = this.#limits;
    const { value } = content;
    if (isShort(value, over)) return content;
    const given = bytesIn(value);
    const bytes = given === undefined ? utf8(JSON.stringify(value)) : new Uint8Array(given);
    if (bytes.length > maxBytes)
      throw new KvError(
        "KV_TOO_LARGE",
        `the value has ${bytes.length} bytes: compressed() takes up to ${maxBytes} (maxBytes)`,
        { key },
      );
    const kind = given === undefined ? 0 : IS_BYTES;
    return bytes.length > over
      ? this.#zip(content, bytes, kind)
      : this.#plain(content, bytes, kind);
  }

  async #zip(content: RecordContent, bytes: Bytes, kind: number): Promise<RecordContent> {
    const zipped = await gzip(bytes);
    const value = this.#sealed(zipped, kind | IS_ZIPPED);
    const before = this.#plain(content, bytes, kind);
    return this.#size(value) < this.#size(before.value, bytes.length)
      ? { value, metadata: content.metadata }
      : before;
  }

  /** The value itself, unless the client keeps no bytes, or it looks like one that was sealed. */
  #plain(content: RecordContent, bytes: Bytes, kind: number): RecordContent {
    const isKept = kind === IS_BYTES ? this.#limits.keepsBytes : true;
    if (isKept && !isSealed(SEAL, content.value))
      return kind === IS_BYTES ? { ...content, value: bytes as unknown as Json } : content;
    return { value: this.#sealed(bytes, kind), metadata: content.metadata };
  }

  #sealed(bytes: Bytes, kind: number): Json {
    return sealed(SEAL, concatBytes(Uint8Array.of(kind), bytes), this.#limits.keepsBytes);
  }

  /** About how many bytes a client keeps for a value. `json` is the length of other JSON. */
  #size(value: Json, json = 0): number {
    if (!isSealed(SEAL, value)) return json;
    return bytesIn(value)?.length ?? (value as { $compressed: string }).$compressed.length + 17;
  }

  decode(content: RecordContent, key: string): Decoded | Promise<Decoded> {
    return isSealed(SEAL, content.value)
      ? this.#unsealed(content, key)
      : { value: content.value, metadata: content.metadata, added: 0 };
  }

  async #unsealed({ value, metadata }: RecordContent, key: string): Promise<Decoded> {
    const { maxBytes } = this.#limits;
    try {
      const all = unsealed(SEAL, value);
      const kind = all?.[0] ?? -1;
      if (all === undefined || kind < 0 || kind > (IS_BYTES | IS_ZIPPED)) throw new SyntaxError();
      const body = all.slice(1);
      const bytes = (kind & IS_ZIPPED) === 0 ? body : await gunzip(body, maxBytes);
      const read = (kind & IS_BYTES) === 0 ? textOf(bytes) : (bytes as unknown as Json);
      return { value: read, metadata, added: bytes.length };
    } catch (error) {
      // Without the error itself, which may show some of the content.
      const reason =
        error instanceof TooLong
          ? `would have more than ${maxBytes} bytes (maxBytes): it was made with a higher limit, ` +
            "or to fill the memory"
          : "is damaged: set() replaces it, del() removes it";
      throw new KvError("KV_CORRUPT", `the record under ${JSON.stringify(key)} ${reason}`, {
        key,
      });
    }
  }
}

const textOf = (bytes: Bytes): Json =>
  JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)) as Json;
