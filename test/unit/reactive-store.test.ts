import { rich } from "../../src/codec.ts";
import kv, { type Store } from "../../src/index.ts";
import { createKVStore } from "../../src/reactive/index.ts";
import { reactiveSuite } from "../helpers/reactive-suite.ts";

let map = new Map();
const over = (client: Map<unknown, unknown>): Store<unknown> => kv(client as never, { codec: rich }) as never;
let commits = 0;

reactiveSuite({
  name: "a store over a Map",
  async program() {
    const inner = over(map);
    const prefix = (text?: string): Store<unknown> => {
      const rows = inner.prefix(text);
      return { ...rows, commit: (...args) => (commits++, rows.commit(...args)) } as Store<unknown>;
    };
    const store = Object.defineProperties({ ...inner, prefix }, { supports: { get: () => inner.supports }, type: { get: () => inner.type } }) as Store<unknown>;
    return (name, options = {}) => createKVStore(name, { interval: 10, ...options, store });
  },
  rows: async (name) => new Map((await over(map).prefix(`${name}:`).entries()).map(([key, value]) => [key, plain(value)])),
  async fill(name, values) {
    await over(map).prefix(`${name}:`).setMany(Object.entries(values).map(([key, value]) => [key, value ?? { "~": "null" }]));
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
const plain = (value: unknown): unknown => ((value as { "~"?: unknown } | null)?.["~"] === "null" ? null : value);
