import { KvError } from "../errors.ts";
import { Refusal } from "./reply.ts";

/** What the server needs of a request: a `Request` has it, and Node's can be given it cheaply. */
export interface Incoming {
  readonly method: string;
  readonly url: string;
  readonly headers: { get(name: string): string | null };
  /** Firefox has none. */
  readonly body?: ReadableStream<Uint8Array> | null;
  blob?(): Promise<Blob>;
}

/** The members of a JSON object. */
export type Fields = { readonly [name: string]: unknown };

/**
 * The JSON object in the body of a request. Reading stops as soon as it is too long, or takes too
 * long.
 *
 * @throws {KvError} KV_TOO_LARGE, KV_INVALID_VALUE when it is no JSON object, KV_CONNECTION when it
 * does not come in time.
 */
export async function objectIn(
  request: Incoming,
  bytes: number,
  milliseconds: number,
): Promise<Fields> {
  const [type] = (request.headers.get("content-type") ?? "").split(";");
  const encoding = request.headers.get("content-encoding") ?? "identity";
  if (type!.trim().toLowerCase() !== "application/json" || encoding !== "identity") {
    throw new Refusal(
      "KV_INVALID_VALUE",
      "the body of a request is JSON that is not compressed: content-type: application/json",
      415,
    );
  }
  const body = parsed(await textIn(request, bytes, milliseconds));
  if (typeof body === "object" && body !== null && !Array.isArray(body)) return body as Fields;
  throw new KvError("KV_INVALID_VALUE", "the body of a request is a JSON object in UTF-8");
}

function parsed(text: string | null): unknown {
  try {
    return text === null ? null : JSON.parse(text);
  } catch {
    // Refused like any other text, without the engine's message: it shows some of the content.
    return null;
  }
}

/** The body as a stream, in Firefox too. */
async function streamOf(request: Incoming): Promise<ReadableStream<Uint8Array> | null> {
  if (request.body !== undefined || request.blob === undefined) return request.body ?? null;
  return (await request.blob()).stream();
}

async function textIn(
  request: Incoming,
  bytes: number,
  milliseconds: number,
): Promise<string | null> {
  const tooLarge = (): KvError =>
    new KvError("KV_TOO_LARGE", `a request has at most ${bytes} bytes here: split it`);
  if (Number(request.headers.get("content-length") ?? 0) > bytes) throw tooLarge();
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
      length += value.byteLength;
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
