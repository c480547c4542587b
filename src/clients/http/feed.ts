import { isKvError, KvError } from "../../errors.ts";
import type { Coverage, Feed, Subscription } from "../adapter.ts";
import { polledFeed } from "../shared/polled-feed.ts";
import type { HttpCalls } from "./calls.ts";
import { unref } from "../../platform/unref.ts";

/** The server sends something every 5 seconds: a longer silence is a lost connection. */
const SILENCE = 15_000;

/**
 * Changes as one event stream of the server. It names the changed keys, and the store reads them.
 */
export async function httpFeed(
  calls: HttpCalls,
  feed: Feed,
  prefixes: Coverage,
): Promise<Subscription> {
  const opened = new HttpFeed(calls, feed);
  try {
    await opened.cover(prefixes);
    return opened;
  } catch (error) {
    // A server of an older version has no such operation.
    if (isKvError(error, "KV_NOT_SUPPORTED")) return polledFeed(feed);
    throw error;
  }
}

class HttpFeed implements Subscription {
  readonly #calls: HttpCalls;
  readonly #feed: Feed;
  #covered: Coverage = [];
  #current: AbortController | null = null;
  #isOver = false;

  constructor(calls: HttpCalls, feed: Feed) {
    this.#calls = calls;
    this.#feed = feed;
  }

  async cover(prefixes: Coverage): Promise<void> {
    const isCovered = (prefix: string): boolean =>
      this.#covered.some((covered) => prefix.startsWith(covered));
    if (prefixes.length > 0 && prefixes.every(isCovered)) return;
    const before = this.#current;
    const next = new AbortController();
    await this.#open(prefixes, next);
    this.#current = next;
    this.#covered = prefixes;
    before?.abort();
  }

  close(): void {
    this.#isOver = true;
    this.#current?.abort();
  }

  /** Resolves when the server reports every later change. */
  async #open(prefixes: Coverage, stream: AbortController): Promise<void> {
    const body = JSON.stringify({ prefixes });
    const reader = await this.#calls.stream("changes", body, stream.signal);
    const events = eventsIn(reader, stream);
    const first = await events.next();
    if (first.done === true || first.value.name !== "ready") {
      stream.abort();
      throw first.done === true ? ended() : errorOf(first.value.data);
    }
    void this.#follow(events, stream);
  }

  async #follow(events: AsyncGenerator<Event>, stream: AbortController): Promise<void> {
    let reason: unknown = ended();
    try {
      for await (const { name, data } of events) {
        if (name === "changed") this.#feed.changed((data as { keys: string[] }).keys);
        if (name === "error") reason = errorOf(data);
      }
    } catch (error) {
      reason = error;
    }
    // A stream that another one has replaced has ended by itself.
    if (this.#isOver || this.#current !== stream) return;
    this.#isOver = true;
    this.#feed.lost(reason);
  }
}

interface Event {
  readonly name: string;
  readonly data: unknown;
}

const ended = (): KvError =>
  new KvError("KV_CONNECTION", "HTTP: the event stream of the server has ended", {
    client: "HTTP",
  });

function errorOf(data: unknown): KvError {
  const { code, message } = Object(Object(data).error) as { code?: unknown; message?: unknown };
  return new KvError(
    typeof code === "string" ? (code as "KV_CONNECTION") : "KV_CONNECTION",
    String(message),
    { client: "HTTP" },
  );
}

/** The events of a stream. A silence aborts it. */
async function* eventsIn(
  reader: ReadableStreamDefaultReader<string>,
  stream: AbortController,
): AsyncGenerator<Event> {
  let text = "";
  for (;;) {
    const timer = setTimeout(() => stream.abort(ended()), SILENCE);
    unref(timer);
    const { value, done } = await reader.read().finally(() => clearTimeout(timer));
    if (done) return;
    text += value;
    const blocks = text.split("\n\n");
    text = blocks.pop()!;
    for (const block of blocks) {
      const [, name] = /^event: (.*)$/m.exec(block) ?? [];
      const [, data] = /^data: (.*)$/m.exec(block) ?? [];
      if (name !== undefined) yield { name, data: JSON.parse(data ?? "null") };
    }
  }
}
