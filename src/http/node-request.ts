import type { IncomingMessage, ServerResponse } from "node:http";
import { utf8Length } from "../record/utf8.ts";
import type { BodyReader, Incoming } from "./body.ts";
import type { Reply } from "./reply.ts";
import type { UnreadOutput } from "./unread-output.ts";

/**
 * The used part of a request of Node. Its body is read no faster than it is asked for.
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
    body: { getReader: () => readerOf(request) },
  };
}

/** Streams of the web platform would take as long as everything else that is done for a request. */
function readerOf(request: IncomingMessage): BodyReader {
  const chunks: Uint8Array[] = [];
  let state: "open" | "ended" | "broken" = request.destroyed ? "broken" : "open";
  let wake = (): void => {};
  const end = (how: "ended" | "broken") => () => {
    if (state === "open") state = how;
    wake();
  };
  request.once("end", end("ended")).once("error", end("broken")).once("close", end("broken"));
  request.on("data", (chunk: Uint8Array) => {
    chunks.push(chunk);
    request.pause();
    wake();
  });
  return {
    async read() {
      while (chunks.length === 0) {
        if (state === "ended") return { done: true };
        if (state === "broken") throw new Error("the request has ended early");
        await new Promise<void>((resolve) => {
          wake = resolve;
          request.resume();
        });
      }
      return { done: false, value: chunks.shift() };
    },
    async cancel() {
      request.removeAllListeners("data").pause();
    },
  };
}

/**
 * Sends a reply, no faster than it is taken. A stream ends when `unread` has enough of it. With
 * `isLast` false the response is whole and stays open, for the connection not to end with it.
 */
export async function send(
  response: ServerResponse,
  { status, headers, body, space = "" }: Reply,
  isLast: boolean,
  unread: UnreadOutput,
): Promise<void> {
  if (!(body instanceof ReadableStream)) {
    const text = body ?? "";
    response.writeHead(
      status,
      status === 204 ? headers : { ...headers, "content-length": utf8Length(text) },
    );
    if (isLast) response.end(text);
    else {
      // A response to HEAD has no body, so that a write sends nothing.
      response.flushHeaders();
      response.write(text);
    }
    return;
  }
  const reader = body.getReader();
  const gone = new Promise<void>((resolve) => response.once("close", resolve));
  // Callers that wait for the rest of the body get an error.
  void gone.then(() => reader.cancel()).catch(() => {});
  response.writeHead(status, headers);
  response.flushHeaders();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (!response.write(value) && !(await unread.taken(space, response))) return;
  }
  response.end();
}
