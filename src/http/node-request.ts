import type { IncomingMessage, ServerResponse } from "node:http";
import type { Incoming } from "./body.ts";
import type { Reply } from "./reply.ts";

/**
 * What the server needs of a request, as Node has it. Its body is read no faster than it is asked
 * for.
 */
export function incoming(request: IncomingMessage): Incoming {
  return {
    method: request.method ?? "",
    // A path alone is taken: a target that names a host of its own leads nowhere.
    url: request.url?.startsWith("/") ? `http://localhost${request.url}` : "",
    headers: {
      get(name) {
        const value = request.headers[name];
        return value === undefined ? null : String(value);
      },
    },
    body: bodyOf(request),
  };
}

function bodyOf(request: IncomingMessage): ReadableStream<Uint8Array> {
  let isOver = false;
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const end = (how: () => void) => () => {
          if (!isOver) how();
          isOver = true;
        };
        request.on("data", (chunk: Uint8Array) => {
          if (isOver) return;
          controller.enqueue(chunk);
          request.pause();
        });
        request.once(
          "end",
          end(() => controller.close()),
        );
        request.once(
          "error",
          end(() => controller.error(new Error("the request has ended early"))),
        );
        request.once(
          "close",
          end(() => controller.error(new Error("the request has ended early"))),
        );
        request.pause();
      },
      pull() {
        request.resume();
      },
      cancel() {
        isOver = true;
        request.pause();
      },
    },
    { highWaterMark: 0 },
  );
}

/**
 * Sends a reply, no faster than it is taken. With `isLast` false the response is whole and stays
 * open, for the connection not to end with it.
 */
export async function send(
  response: ServerResponse,
  { status, headers, body }: Reply,
  isLast: boolean,
): Promise<void> {
  if (!(body instanceof ReadableStream)) {
    const bytes = body ?? new Uint8Array();
    response.writeHead(
      status,
      status === 204 ? headers : { ...headers, "content-length": bytes.byteLength },
    );
    if (isLast) response.end(bytes);
    else response.write(bytes);
    return;
  }
  const reader = body.getReader();
  const gone = new Promise<void>((resolve) => response.once("close", resolve));
  // Who waits for what does not come any more is told so.
  void gone.then(() => reader.cancel()).catch(() => {});
  response.writeHead(status, headers);
  response.flushHeaders();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (!response.write(value))
      await Promise.race([gone, new Promise((resolve) => response.once("drain", resolve))]);
  }
  response.end();
}
