import type { ServerResponse } from "node:http";
import { errorEvent } from "./events.ts";
import { limited } from "./reply.ts";

/** How many bytes the event streams of a space keep at most for clients that do not read them. */
export const MOST_UNREAD = 16_000_000;
/** How long a client whose stream was ended has to read the reason, in milliseconds. */
const LINGER = 5000;

/** Bounds the memory of event streams for clients that do not read. */
export class UnreadOutput {
  /** By space, the streams whose output is not taken, those that wait longest first. */
  readonly #waiting = new Map<string, Map<ServerResponse, number>>();

  /**
   * Waits until the client of a stream has taken its output. Meanwhile the streams of its space
   * that wait longest are ended when they keep too much. Resolves to whether the stream goes on.
   */
  async taken(space: string, response: ServerResponse): Promise<boolean> {
    const waiting = this.#waiting.get(space) ?? new Map<ServerResponse, number>();
    this.#waiting.set(space, waiting.set(response, response.writableLength));
    let bytes = 0;
    for (const each of waiting.values()) bytes += each;
    for (const [oldest, kept] of waiting) {
      if (bytes <= MOST_UNREAD || oldest === response) break;
      bytes -= kept;
      waiting.delete(oldest);
      end(oldest);
    }
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        response.off("drain", wake).off("close", wake);
        resolve();
      };
      response.once("drain", wake).once("close", wake);
    });
    return waiting.delete(response) && !response.destroyed;
  }
}

function end(response: ServerResponse): void {
  const reason = limited("the streams of this space have too much output that is not read", 1);
  response.end(errorEvent(reason, ""));
  const timer = setTimeout(() => response.destroy(), LINGER);
  response.once("close", () => clearTimeout(timer));
}
