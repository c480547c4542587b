import { expect, it, onTestFinished, vi } from "vitest";
import { rich } from "../../src/codec.ts";
import kv, { type Store } from "../../src/index.ts";
import { createKVStore, type KVFn } from "../../src/reactive/index.ts";
import { eventually } from "../support/eventually.ts";
import { reactiveSuite } from "../suites/reactive-suite.ts";

let map = new Map();
const over = (client: Map<unknown, unknown>): Store<unknown> =>
  kv(client as never, { codec: rich }) as never;
let commits = 0;

reactiveSuite({
  name: "a store over a Map",
  async program() {
    const inner = over(map);
    const prefix = (text?: string): Store<unknown> => {
      const rows = inner.prefix(text);
      return { ...rows, commit: (...args) => (commits++, rows.commit(...args)) } as Store<unknown>;
    };
    const store = Object.defineProperties(
      { ...inner, prefix },
      { supports: { get: () => inner.supports }, type: { get: () => inner.type } },
    ) as Store<unknown>;
    return (name, options = {}) => createKVStore(name, { interval: "10ms", ...options, store });
  },
  rows: async (name) =>
    new Map(
      (await over(map).prefix(`${name}:`).entries()).map(([key, value]) => [key, plain(value)]),
    ),
  async fill(name, values) {
    await over(map)
      .prefix(`${name}:`)
      .setMany(Object.entries(values).map(([key, value]) => [key, value ?? { "~": "null" }]));
  },
  transactions() {
    commits = 0;
    return () => commits;
  },
  async empty() {
    map = new Map();
  },
});

/** A store keeps no null. */
const plain = (value: unknown): unknown =>
  (value as { "~"?: unknown } | null)?.["~"] === "null" ? null : value;

it("an unused state begins with the newest value of others", async () => {
  onTestFinished(() => void vi.useRealTimers());
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  const program = (interval = 1): KVFn => createKVStore("late", { store: over(map), interval });
  const theirs = program();
  const init = { n: 0 };
  const changed = theirs("changed", { n: 1 });
  theirs("removed", { n: 1 });
  await theirs.ready();
  const ours = program();
  await ours.ready();
  changed.data.n = 100;
  theirs.remove("removed");
  await theirs.ready();

  const [late, gone, unset] = [ours("changed", init), ours("removed", init), ours("removed")];
  await ours.ready();
  late.data.n++;
  await ours.ready();
  expect(late).toEqual({ data: { n: 101 }, status: "ready" });
  expect([gone, unset]).toEqual([{ data: init, status: "ready" }, gone]);
  expect(await over(map).all()).toEqual({ "late:changed": { n: 101 }, "late:removed": init });

  // Who uses it is told when it goes later, by a poll.
  theirs.remove("changed");
  await theirs.ready();
  await vi.advanceTimersByTimeAsync(1000);
  await eventually(() => late.status).toBe("removed");
  for (const kv of [ours, theirs]) await kv.store().close();

  // Longer than timers can count is not at once.
  const never = program(Infinity);
  await never.ready();
  expect(vi.getTimerCount()).toBe(0);
  await never.store().close();
});
