import type { Codec } from "../api.ts";
import { isKvError, KvError } from "../errors.ts";
import { isMarked } from "./codec-mark.ts";
import type { Json } from "../types.ts";
import { checkedCopy } from "../record/json-fault.ts";

/**
 * A codec of APIs: values are kept unchecked and uncopied, and read as they are stored. Bytes are
 * values too where `supports.bytes`.
 */
export const RAW: Codec = { name: "", encode: (value) => value as Json, decode: (json) => json };

/**
 * A codec of servers: values are JSON, written and read as they are stored, marks of codecs
 * included.
 */
export const AS_STORED: Codec = { ...RAW };

/**
 * The JSON that is stored for a value: a checked copy. A value that a codec with a name has changed
 * is marked with that name.
 *
 * @throws {KvError} KV_INVALID_VALUE
 */
export function encodeValue(codec: Codec | undefined, value: unknown): Json {
  if (codec === RAW) return value as Json;
  const encoded = codec === undefined ? value : encode(codec, value);
  const copy = checkedCopy(encoded, codec === undefined ? "value" : "the encoded value");
  if (codec?.name && encoded !== value) return { $codec: codec.name, value: copy };
  return codec?.name !== "" && isMarked(copy) ? { $codec: "", value: copy } : copy;
}

function encode(codec: Codec, value: unknown): Json {
  let json: Json | undefined;
  try {
    json = codec.encode(value);
  } catch (cause) {
    throw isKvError(cause)
      ? cause
      : new KvError("KV_INVALID_VALUE", "the codec cannot encode this value", { cause });
  }
  if (json !== null && json !== undefined) return json;
  throw new KvError(
    "KV_INVALID_VALUE",
    `the codec encodes this value as ${json}, which cannot be stored`,
  );
}

/**
 * The value of stored JSON.
 *
 * @throws {KvError} KV_CORRUPT when the codec cannot decode it, or another codec has encoded it.
 */
export function decodeValue(codec: Codec | undefined, json: Json, key: string): unknown {
  if (codec?.name !== "" && isMarked(json)) {
    const { $codec: name, value } = json;
    if (name !== "" && name !== codec?.name) {
      const message =
        `the value under ${JSON.stringify(key)} was written with the codec ` +
        `${JSON.stringify(name)}: read it with kv(client, { codec })`;
      throw new KvError("KV_CORRUPT", message, { key });
    }
    json = value;
  }
  if (codec === undefined) return json;
  try {
    return codec.decode(json);
  } catch (cause) {
    throw new KvError(
      "KV_CORRUPT",
      `the codec cannot decode the value under ${JSON.stringify(key)}`,
      { key, cause },
    );
  }
}
