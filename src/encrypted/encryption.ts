import { KvError } from "../errors.ts";
import type { Bytes } from "../record/bytes.ts";
import { bytesIn, concatBytes, type Seal, sealed, unsealed, utf8 } from "../store/envelope.ts";
import type { RecordContent, Decoded, Transform } from "../store/transformed-adapter.ts";
import type { Json } from "../types.ts";
import type { Imported } from "./keys.ts";

const SEAL: Seal = { magic: "ake1", name: "$encrypted" };
const NONCE = 12;

/** What AES-GCM adds to a content, the id of the key included: at most so many bytes. */
export const OVERHEAD = 128;

const HEAD = 5;
const JSON_TEXT = 0;
const BYTES = 1;

/** What is encrypted: the kind of value, the length of the metadata, the metadata, the value. */
function plaintext({ value, metadata }: RecordContent): Bytes {
  const bytes = bytesIn(value);
  const note = metadata === null ? new Uint8Array() : utf8(JSON.stringify(metadata));
  const head = new Uint8Array(HEAD);
  head[0] = bytes === undefined ? JSON_TEXT : BYTES;
  new DataView(head.buffer).setUint32(1, note.length);
  return concatBytes(head, note, bytes ?? utf8(JSON.stringify(value)));
}

function contentOf(plain: Uint8Array): RecordContent {
  const view = new DataView(plain.buffer, plain.byteOffset, plain.byteLength);
  const end = HEAD + view.getUint32(1);
  const text = (from: number, to?: number): Json =>
    JSON.parse(new TextDecoder().decode(plain.subarray(from, to))) as Json;
  return {
    value: plain[0] === BYTES ? (plain.slice(end) as unknown as Json) : text(end),
    metadata: end === HEAD ? null : text(HEAD, end),
  };
}

const corrupt = (key: string, reason: string): KvError =>
  new KvError("KV_CORRUPT", `the record under ${JSON.stringify(key)} ${reason}`, { key });

/** Values and metadata in AES-GCM. The first key writes, all of them read. */
export class Encryption implements Transform {
  readonly keepsNumbers = false;
  readonly #keys: readonly [Imported, ...Imported[]];
  readonly #keepsBytes: boolean;

  constructor(keys: readonly [Imported, ...Imported[]], keepsBytes: boolean) {
    this.#keys = keys;
    this.#keepsBytes = keepsBytes;
  }

  async encode(content: RecordContent, key: string): Promise<RecordContent> {
    const plain = plaintext(content);
    const [{ id, key: load }] = this.#keys;
    const iv = crypto.getRandomValues(new Uint8Array(NONCE));
    const head = headOf(id);
    const cipher = await crypto.subtle.encrypt(
      { name: "AES-GCM", iv, additionalData: concatBytes(head, utf8(key)) },
      await load(),
      plain,
    );
    const all = concatBytes(head, iv, new Uint8Array(cipher));
    return { value: sealed(SEAL, all, this.#keepsBytes), metadata: null };
  }

  async decode({ value }: RecordContent, key: string): Promise<Decoded> {
    const all = unsealed(SEAL, value);
    if (all === undefined)
      throw corrupt(key, "is not encrypted: set() replaces it, del() removes it");
    const end = 1 + (all[0] ?? 0);
    const head = all.subarray(0, end);
    const id = new TextDecoder().decode(head.subarray(1));
    // An id that was damaged may be any text.
    const shown = /^[\w.-]{1,64}$/.test(id) ? JSON.stringify(id) : "of an unreadable id";
    const known = this.#keys.find((each) => each.id === id);
    if (known === undefined)
      throw corrupt(key, `was encrypted with the key ${shown}, which is not among the keys`);
    let plain: ArrayBuffer;
    try {
      plain = await crypto.subtle.decrypt(
        {
          name: "AES-GCM",
          iv: all.subarray(end, end + NONCE),
          additionalData: concatBytes(head, utf8(key)),
        },
        await known.key(),
        all.subarray(end + NONCE),
      );
    } catch {
      throw corrupt(
        key,
        `cannot be decrypted with the key ${shown}: this is another key of that id, ` +
          "or the record was changed, or moved from another key of the store",
      );
    }
    return { ...contentOf(new Uint8Array(plain)), added: 0 };
  }
}

/** The length of the id, and the id. */
const headOf = (id: string): Bytes => concatBytes(Uint8Array.of(id.length), utf8(id));
