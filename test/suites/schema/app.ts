import { z } from "zod";
import {
  bitset,
  type BitsetType,
  DynamicStore as dynamic,
  StaticStore as fixed,
  type DynamicStore,
  type StandardSchema,
  type StaticStore,
} from "../../../src/schema/index.ts";
import type { Store } from "../../../src/api.ts";

type Schema = {
  string: "string";
  number: "number";
  boolean: "boolean";
  bytes: "bytes";
  set: "set";
  list: "list";
  hash: "hash";
  sorted: "sorted";
  small: BitsetType<8>;
  wide: BitsetType<64>;
  json: StandardSchema<
    { name: string; visits?: number | undefined },
    { name: string; visits: number }
  >;
};

const schema: Schema = {
  string: "string",
  number: "number",
  boolean: "boolean",
  bytes: "bytes",
  set: "set",
  list: "list",
  hash: "hash",
  sorted: "sorted",
  small: bitset(8),
  wide: bitset(64),
  json: z.object({ name: z.string(), visits: z.number().default(0) }),
};

/** A store with a field of each kind. */
export type App = StaticStore<Schema, "app">;
export const appOn = (store?: Store): App => fixed("app", schema, { store });

/** Any number of stores with a field of each kind. */
export const appsOn = (store?: Store): DynamicStore<App, "apps"> =>
  dynamic("apps", fixed("app", schema), { store });

/** Something of each kind, and how it is written. */
export const SAMPLES: {
  readonly [K in keyof Schema]: (
    app: App,
    options?: { expires?: string | Date | null },
  ) => Promise<unknown>;
} = {
  string: (app, options) => app.take("string").write("text", options),
  number: (app, options) => app.take("number").write(5, options),
  boolean: (app, options) => app.take("boolean").write(false, options),
  bytes: (app, options) => app.take("bytes").write(Uint8Array.of(0, 255), options),
  set: (app, options) => app.take("set").write(["a"], options),
  list: (app, options) => app.take("list").write(["a"], options),
  hash: (app, options) => app.take("hash").write({ a: "b" }, options),
  sorted: (app, options) => app.take("sorted").write({ a: 1 }, options),
  small: (app, options) => app.take("small").write(0, 53, options),
  wide: (app, options) => app.take("wide").write(0, 5n, options),
  json: (app, options) => app.take("json").write({ name: "Ann" }, options),
};

/** A change of each kind that leaves something. */
export const CHANGES: typeof SAMPLES = {
  ...SAMPLES,
  number: (app, options) => app.take("number").increment(1, options),
  set: (app, options) => app.take("set").add(["b", "c"], options),
  list: (app, options) => app.take("list").push("b", options),
  hash: (app, options) => app.take("hash").set("c", "d", options),
  sorted: (app, options) => app.take("sorted").increment("a", 1, options),
  small: (app, options) => app.take("small").increment(3, 1, options),
  wide: (app, options) => app.take("wide").increment(0, 1n, options),
  json: (app, options) =>
    app.take("json").update(({ visits }) => ({ visits: visits + 1 }), options),
};

export type Kind = keyof typeof SAMPLES;
export const KINDS: readonly Kind[] = Object.keys(SAMPLES) as Kind[];

/** The parts of a field that all kinds have. */
export interface AnyField {
  readonly key: string;
  exists(): Promise<boolean>;
  erase(): Promise<void>;
  touch(expires: string | Date | null): Promise<boolean>;
}
export const fieldOf = (app: App, kind: Kind): AnyField => app.take(kind);

/** What a field holds, as plain data. */
export async function valueOf(app: App, kind: Kind): Promise<unknown> {
  if (kind === "small" || kind === "wide") return app.take(kind as "small").read(0);
  const value = (await app.take(kind as "string").read()) as unknown;
  // A set has no order.
  return value instanceof Set ? [...value].sort() : value instanceof Map ? [...value] : value;
}

/** An app whose field of one kind is kept where `appsOn(store).take(kept)` keeps another. */
export function mistaken(store: Store, kept: Kind, kind: Kind): App {
  const field = dynamic("apps", fixed("app", { [kept]: schema[kind] }), { store })
    .take(kept)
    .take(kept);
  return { take: () => field } as unknown as App;
}

/** How two texts are ordered by their UTF-8 bytes, also where there is no Buffer. */
export function byBytes(a: string, b: string): number {
  const [x, y] = [a, b].map((text) => [...new TextEncoder().encode(text)]) as [number[], number[]];
  const at = x.findIndex((byte, i) => byte !== y[i]);
  return at === -1 ? x.length - y.length : x[at]! - (y[at] ?? -1);
}
