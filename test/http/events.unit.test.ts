import { expect, it, vi } from "vitest";
import { createHandler, spaceOf } from "../../src/http/index.ts";
import kv from "../../src/index.ts";

const STREAMS = 30;
const KEYS = Array.from({ length: 20 }, (_, i) => `k${i}`);

it("reads the keys of a space once in an interval, for all event streams together", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const over = new AbortController();
  try {
    const data = new Map<string, unknown>();
    let reads = 0;
    const own = kv({
      get: (key: string) => (reads++, data.get(key)),
      set: (key: string, value: unknown) => void data.set(key, value),
    });
    await spaceOf(own, "open").setMany(KEYS.map((key) => [key, 1]));
    const handler = createHandler(own, { tokens: "none", signal: over.signal });
    const watch = async (keys: readonly string[]): Promise<ReadableStreamDefaultReader<string>> => {
      const headers = { "content-type": "application/json" };
      const body = JSON.stringify({ keys });
      const init = { method: "POST", headers, body };
      const { body: events } = await handler(new Request("http://kv.test/v1/watch", init));
      return events!.pipeThrough(new TextDecoderStream()).getReader();
    };
    const streams = await Promise.all(Array.from({ length: STREAMS }, () => watch(KEYS)));
    const one = await watch(["k0", "none"]);
    streams.push(one);
    for (const stream of streams) expect((await stream.read()).value).toContain("event: entries");
    const next = streams.map((stream) => stream.read());
    const before = reads;
    await vi.advanceTimersByTimeAsync(2000);
    expect(reads - before).toBeGreaterThan(KEYS.length);
    expect(reads - before).toBeLessThanOrEqual(3 * (KEYS.length + 1));
    // A change by others is seen by all streams of the key, and by no other.
    await spaceOf(own, "open").set("none", 2);
    await vi.advanceTimersByTimeAsync(1000);
    expect((await next.at(-1)!).value).toContain('"value":2');
    const isPending = Symbol("pending");
    for (const each of next.slice(0, -1))
      expect(await Promise.race([each, Promise.resolve(isPending)])).toBe(isPending);
    await spaceOf(own, "open").set("k0", 3);
    await vi.advanceTimersByTimeAsync(1000);
    for (const each of next.slice(0, -1)) expect((await each).value).toContain('"value":3');
  } finally {
    over.abort();
    vi.useRealTimers();
  }
});
