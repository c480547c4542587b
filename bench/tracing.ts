import diagnostics from "node:diagnostics_channel";
import kv from "anykv";
import { trace } from "anykv/tracing";
import { bare, type Cache, OPERATIONS, reading, SMALL, writing } from "./memory.ts";
import { type Contender, line, micros, race } from "./race.ts";

const listener = (): void => {};

/** Subscribes during a round. */
const heard = (operation: string, contender: Contender): Contender => ({
  async round() {
    const name = `tracing:anykv:${operation}:asyncEnd`;
    diagnostics.subscribe(name, listener);
    await contender.round();
    diagnostics.unsubscribe(name, listener);
  },
});

/** What tracing costs: a store that is not traced, without subscribers, and with one. */
export async function tracing(): Promise<void> {
  const plain = kv(new Map()) as unknown as Cache;
  const traced = trace(kv(new Map())) as unknown as Cache;
  for (const [operation, make] of [
    ["set", (cache: Cache) => writing(cache, SMALL)],
    ["get", reading],
  ] as const) {
    const times = await race({
      bare: make(bare()),
      plain: make(plain),
      traced: make(traced),
      heard: heard(operation, make(traced)),
    });
    const detail = Object.entries(times)
      .map(([name, ms]) => `${name} ${micros(ms, OPERATIONS)}`)
      .join(", ");
    const ratio = times.traced / times.plain;
    const what = `tracing: ${operation} in memory without subscribers`;
    line(what, ratio, "at most 1.1", ratio <= 1.1, detail);
  }
}
