import { KvError } from "../errors.ts";
import { MAX_DEPTH } from "../record/json.ts";
import { Refusal } from "./reply.ts";

/** Reads a body piece by piece, no faster than it is asked to. */
export interface BodyReader {
  read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>;
  cancel(): Promise<void>;
}

/** The used part of a request: a `Request` has it, and Node's can be given it cheaply. */
export interface Incoming {
  readonly method: string;
  readonly url: string;
  readonly headers: { get(name: string): string | null };
  /** Firefox has none. */
  readonly body?: { getReader(): BodyReader } | null;
  blob?(): Promise<Blob>;
}

/** The members of a JSON object. */
export type Fields = { readonly [name: string]: unknown };

/** How deep a body nests at most: as deep as a value may, inside a list of writes. */
const MOST_LEVELS = MAX_DEPTH + 3;

/**
 * The JSON object that a body is.
 *
 * @param text `null` for a body that is not UTF-8.
 * @throws {KvError} KV_INVALID_VALUE when it is no JSON object, or nests too deep.
 */
export function objectIn(text: string | null): Fields {
  if (text !== null && isDeeper(text, MOST_LEVELS))
    throw new KvError(
      "KV_INVALID_VALUE",
      `a value nests at most ${MAX_DEPTH} levels deep: keep it in parts`,
    );
  const body = parsed(text);
  if (typeof body === "object" && body !== null && !Array.isArray(body)) return body as Fields;
  throw new KvError("KV_INVALID_VALUE", "the body of a request is a JSON object in UTF-8");
}

/**
 * Whether a JSON text nests deeper than so many levels. It takes one pass, where parsing deep
 * brackets takes much longer than parsing other text.
 */
function isDeeper(text: string, most: number): boolean {
  if (text.length <= most) return false;
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case QUOTE:
        for (i++; i < text.length && text.charCodeAt(i) !== QUOTE; i++)
          if (text.charCodeAt(i) === BACKSLASH) i++;
        break;
      case 0x5b: // [
      case 0x7b: // {
        if (++depth > most) return true;
        break;
      case 0x5d: // ]
      case 0x7d: // }
        depth--;
    }
  }
  return false;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

function parsed(text: string | null): unknown {
  try {
    return text === null ? null : JSON.parse(text);
  } catch {
    // Refused like any other text, without the engine's message: it shows some of the content.
    return null;
  }
}

/** The body as a stream, in Firefox too. */
async function streamOf(request: Incoming): Promise<{ getReader(): BodyReader } | null> {
  if (request.body !== undefined || request.blob === undefined) return request.body ?? null;
  return (await request.blob()).stream();
}

/**
 * The text of a body, `null` when it is not UTF-8. Reading stops as soon as it is too long, or
 * takes too long.
 *
 * @throws {KvError} KV_TOO_LARGE, KV_INVALID_VALUE when it is not said to be JSON, KV_CONNECTION
 * when it does not come in time.
 */
export async function bodyText(
  request: Incoming,
  bytes: number,
  milliseconds: number,
): Promise<string | null> {
  const { headers } = request;
  const [type] = (headers.get("content-type") ?? "").split(";");
  const encoding = headers.get("content-encoding") ?? "identity";
  if (type!.trim().toLowerCase() !== "application/json" || encoding !== "identity") {
    throw new Refusal(
      "KV_INVALID_VALUE",
      "the body of a request is JSON that is not compressed: content-type: application/json",
      415,
    );
  }
  const tooLarge = (): KvError =>
    new KvError("KV_TOO_LARGE", `a request has at most ${bytes} bytes here: split it`);
  if (Number(headers.get("content-length") ?? 0) > bytes) throw tooLarge();
  const body = await streamOf(request);
  if (body === null) return null;
  const reader = body.getReader();
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () =>
        reject(
          new Refusal(
            "KV_CONNECTION",
            `the body of the request was not complete after ${milliseconds / 1000} s`,
            408,
          ),
        ),
      milliseconds,
    );
  });
  let text = "";
  let length = 0;
  try {
    for (;;) {
      const { done, value } = await Promise.race([reader.read(), late]);
      if (done) return text + decoder.decode();
      length += value!.byteLength;
      if (length > bytes) throw tooLarge();
      text += decoder.decode(value, { stream: true });
    }
  } catch (error) {
    reader.cancel().catch(() => {});
    // No UTF-8.
    if (error instanceof TypeError) return null;
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
