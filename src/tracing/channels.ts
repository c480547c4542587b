import type { TracingChannel } from "node:diagnostics_channel";
import { isKvError, KvError } from "../errors.ts";
import type { Span, TracedContext } from "../store/tracer.ts";
import type { TraceMessage } from "./message.ts";

type Diagnostics = typeof import("node:diagnostics_channel");
export type Channel = TracingChannel<unknown, TraceMessage>;

/** The module of the runtime; `undefined` in browsers. */
export const diagnostics = (): Diagnostics | undefined =>
  (globalThis.process as Partial<NodeJS.Process> | undefined)?.getBuiltinModule?.(
    "node:diagnostics_channel",
  );

export const hasSubscribers = (channel: Channel): boolean =>
  channel.hasSubscribers ??
  // Older runtimes know it of each of the five channels alone.
  [channel.start, channel.end, channel.asyncStart, channel.asyncEnd, channel.error].some(
    (each) => each.hasSubscribers,
  );

/** An error as subscribers see it: keys only if they were asked for. */
function shownError(error: unknown, operation: string, withKeys: boolean): KvError {
  if (!isKvError(error))
    return new KvError("KV_CONNECTION", `${operation}() failed with an error of its caller`);
  const { code, client, key, message } = error;
  return withKeys
    ? new KvError(code, message, { client, key })
    : new KvError(code, `${operation}() failed with ${code}`, { client });
}

/** The channels `anykv:<operation>`. */
export class Channels {
  readonly #diagnostics: Diagnostics;
  readonly #withKeys: boolean;
  readonly #channels = new Map<string, Channel>();

  constructor(module: Diagnostics, withKeys: boolean) {
    this.#diagnostics = module;
    this.#withKeys = withKeys;
  }

  /** The channel of an operation. */
  of(operation: string): Channel {
    const channel =
      this.#channels.get(operation) ??
      this.#diagnostics.tracingChannel<unknown, TraceMessage>(`anykv:${operation}`);
    this.#channels.set(operation, channel);
    return channel;
  }

  /** Reports a call: `start` and `end` around its beginning, the others when it is over. */
  report<T>(
    channel: Channel,
    operation: string,
    { connection }: TracedContext,
    keys: () => readonly string[],
    work: (span: Span) => Promise<T>,
  ): Promise<T> {
    const message: TraceMessage = {
      client: connection.source.type,
      operation,
      ...(this.#withKeys && { keys: keys() }),
    };
    const begun = performance.now();
    const over = (): void => {
      message.duration = performance.now() - begun;
      message.client = connection.source.type;
    };
    const finish = (): void => {
      channel.asyncStart.publish(message);
      channel.asyncEnd.publish(message);
    };
    // In the context that subscribers have bound to the channel, such as a span.
    return channel.start.runStores(message, () => {
      const result = work(message);
      channel.end.publish(message);
      return result.then(
        (value) => {
          over();
          finish();
          return value;
        },
        (error: unknown) => {
          over();
          message.error = shownError(error, operation, this.#withKeys);
          message.outcome = isKvError(error) ? error.code : "error";
          channel.error.publish(message);
          finish();
          throw error;
        },
      );
    });
  }
}
