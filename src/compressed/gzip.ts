import type { Bytes } from "../record/bytes.ts";
import { concatBytes } from "../store/envelope.ts";

/** Thrown for more bytes than are taken. */
export class TooLong extends Error {}

type Transformer = Pick<CompressionStream, "readable" | "writable">;

/** What a stream makes of bytes. It is cancelled when it makes more than `most`. */
async function through(bytes: Bytes, stream: Transformer, most: number): Promise<Bytes> {
  const writer = stream.writable.getWriter();
  // The reader gets the same errors.
  writer.write(bytes).catch(() => {});
  writer.close().catch(() => {});
  const reader = (stream.readable as ReadableStream<Bytes>).getReader();
  const chunks: Bytes[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return chunks.length === 1 ? chunks[0]! : concatBytes(...chunks);
    length += value.length;
    if (length > most) {
      reader.cancel().catch(() => {});
      throw new TooLong();
    }
    chunks.push(value);
  }
}

export const gzip = (bytes: Bytes): Promise<Bytes> =>
  through(bytes, new CompressionStream("gzip"), Infinity);

/** The reverse. @throws {TooLong} for more than `most` bytes; other errors for damaged bytes. */
export const gunzip = (bytes: Bytes, most: number): Promise<Bytes> =>
  through(bytes, new DecompressionStream("gzip"), most);
