import type { MaybePromise } from "../types.ts";
import { checkedCopy } from "../record/json-fault.ts";
import { checkSize } from "./checks.ts";
import type { Payload } from "./kept.ts";
import type { Rules } from "./refusal.ts";
import type { ValueType } from "./types.ts";
import { utf8Length } from "../record/utf8.ts";
import { hasMethods } from "../platform/shape.ts";

const isBuffer = (value: unknown): value is ArrayBuffer =>
  Object.prototype.toString.call(value) === "[object ArrayBuffer]";

/**
 * A copy of the bytes of a buffer or a view, of the view's part alone; `null` for anything else.
 */
function bytesOf(value: unknown, { refuse }: Rules): Uint8Array<ArrayBuffer> | null {
  const isView = ArrayBuffer.isView(value);
  if (!isView && !isBuffer(value)) return null;
  const buffer = isView ? value.buffer : value;
  // A moved value looks like nothing, which is a value too.
  if ((buffer as { detached?: boolean }).detached === true)
    refuse(
      "KV_INVALID_VALUE",
      "the ArrayBuffer is detached: its bytes were moved elsewhere",
      TypeError,
    );
  return (
    isView ? new Uint8Array(buffer, value.byteOffset, value.byteLength) : new Uint8Array(buffer)
  ).slice() as Uint8Array<ArrayBuffer>;
}

/** All bytes of a stream, which is cancelled as soon as they are too many. */
async function drained(
  stream: ReadableStream<unknown>,
  rules: Rules,
): Promise<Uint8Array<ArrayBuffer>> {
  const { refuse } = rules;
  if (stream.locked)
    refuse("KV_INVALID_VALUE", "The ReadableStream has been locked to a reader.", TypeError);
  const reader = stream.getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const given =
        rules.isWorkers && typeof value === "string" ? new TextEncoder().encode(value) : value;
      const chunk =
        bytesOf(given, rules) ??
        refuse(
          "KV_INVALID_VALUE",
          `the stream yields what is no bytes (of the type ${typeof value}): pipe it through a ` +
            "TextEncoderStream",
          TypeError,
        );
      length += chunk.length;
      checkSize(length, rules);
      chunks.push(chunk);
    }
  } catch (error) {
    // The first error counts, and the stream may take its time to end.
    reader.cancel(error).catch(() => {});
    throw error;
  }
  const all = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

const isStream = (value: unknown): boolean => hasMethods(value, "getReader", "cancel");

/**
 * Workers KV checks the type of the value before everything else but the key.
 */
export function checkKind(value: unknown, { isWorkers, refuse }: Rules): void {
  if (
    !isWorkers ||
    Object(value) !== value ||
    ArrayBuffer.isView(value) ||
    isBuffer(value) ||
    isStream(value)
  )
    return;
  refuse(
    "KV_INVALID_VALUE",
    "KV put() accepts only strings, ArrayBuffers, ArrayBufferViews, and ReadableStreams as values.",
    TypeError,
  );
}

/** The text that stands for something that is neither text nor bytes. */
function textOf(value: unknown, { isWorkers, refuse }: Rules): string {
  if (isWorkers) return `${value as string}`;
  if (value === undefined || value === null)
    refuse("KV_INVALID_VALUE", `put() cannot keep ${value as null}: delete() removes a key`);
  // A codec of the store has no part in it.
  return JSON.stringify(
    checkedCopy(value, "value", "put() takes text, bytes, web streams and JSON"),
  );
}

/** The value for `put()`: a copy, made at once unless it is a stream. */
export function payloadOf(value: unknown, rules: Rules): MaybePromise<Payload> {
  const bytes = bytesOf(value, rules);
  if (bytes === null && isStream(value)) return drained(value as ReadableStream, rules);
  // Texts are kept as UTF-8, which has no lone surrogates.
  const payload =
    bytes ?? (typeof value === "string" ? value : textOf(value, rules)).toWellFormed();
  checkSize(typeof payload === "string" ? utf8Length(payload) : payload.length, rules);
  return payload;
}

// A mark at the start is part of the text.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** The value as a text: invalid UTF-8 is U+FFFD. */
export const asText = (payload: Payload): string =>
  typeof payload === "string" ? payload : decoder.decode(payload);

/** The value as it is asked for. */
export function convert(payload: Payload, type: ValueType, { isWorkers, refuse }: Rules): unknown {
  if (type === "text") return asText(payload);
  if (type === "json") {
    try {
      return JSON.parse(asText(payload));
    } catch (cause) {
      if (isWorkers) throw cause;
      // Not the engine's message, which shows some of the value.
      refuse("KV_INVALID_VALUE", 'the value is no JSON: read it as "text"', SyntaxError);
    }
  }
  const bytes = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
  if (type === "stream") return new Blob([bytes]).stream();
  // A copy of a part: a driver may answer with one of Node's Buffers, whose slice() is none.
  return bytes.length === bytes.buffer.byteLength ? bytes.buffer : new Uint8Array(bytes).buffer;
}
