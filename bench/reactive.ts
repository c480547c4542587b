import { brotliCompressSync } from "node:zlib";
import { build, type Plugin } from "esbuild";
import { openTabs } from "../test/support/tabs.ts";
import { line } from "./race.ts";

const root = new URL("..", import.meta.url).pathname;

/**
 * Bytes of a program, minified and compressed; without what it only imports later unless `whole`.
 */
export async function size(
  contents: string,
  whole = true,
  external: readonly string[] = ["@vue/reactivity"],
): Promise<number> {
  const later: Plugin = {
    name: "later",
    setup: ({ onResolve }) =>
      void onResolve({ filter: /.*/ }, ({ path, kind }) =>
        kind === "dynamic-import" && !whole ? { path, external: true } : undefined,
      ),
  };
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: root },
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    write: false,
    external: [...external],
    plugins: [later],
    logLevel: "error",
  });
  return brotliCompressSync(outputFiles[0]!.contents).length;
}

const list = (times: { [name: string]: number }): string =>
  Object.entries(times)
    .map(([name, ms]) => `${name} ${ms.toFixed(0)} ms`)
    .join(", ");

/** Reactive states in Chromium, beside Dexie's live queries and `idb`. */
export async function reactive(): Promise<void> {
  const tabs = await openTabs(
    'import { change, load } from "./bench/reactive-page.ts"; Object.assign(globalThis, { ' +
      "change, load, kv: true });",
  );
  try {
    const page = await tabs.open();
    const times = (name: "load" | "change"): Promise<{ [name: string]: number }> =>
      page.evaluate(
        (name) =>
          (globalThis as unknown as Record<string, () => Promise<{ [name: string]: number }>>)[
            name
          ]!(),
        name,
      );
    const load = await times("load");
    line(
      "reactive: load 10,000 keys, against idb",
      load.anykv! / load.idb!,
      "at most 1.5",
      load.anykv! <= 1.5 * load.idb!,
      list(load),
    );
    line(
      "reactive: load 10,000 keys: dexie takes",
      load.dexie! / load.anykv!,
      "at least 0.7",
      load.dexie! >= 0.7 * load.anykv!,
      "",
    );
    const change = await times("change");
    const rate =
      `${Math.round(10_000 / (change.anykv! / 1000)).toLocaleString("en")} ` +
      `changes/s; ${list(change)}`;
    line(
      "reactive: 10,000 changes of 1,000 states: idb takes",
      change["idb, one transaction"]! / change.anykv!,
      "at least 1",
      change["idb, one transaction"]! >= change.anykv!,
      rate,
    );
    line(
      "reactive: 10,000 changes: dexie takes",
      change["dexie, one transaction"]! / change.anykv!,
      "at least 5",
      change["dexie, one transaction"]! >= 5 * change.anykv!,
      "",
    );
  } finally {
    await tabs.close();
  }
  const own = await size('export * from "./dist/reactive.js"', false);
  const whole = await size('export * from "./dist/reactive.js"');
  const [dexie, idb, vue] = await Promise.all([
    size('export { Dexie, liveQuery } from "dexie"'),
    size('export * from "idb"'),
    size(
      'export { computed, effectScope, ReactiveEffect, reactive, toRaw } from "@vue/reactivity"',
      true,
      [],
    ),
  ]);
  line(
    "reactive: bytes at the import, without proxies, in kB",
    own / 1000,
    "at most 3",
    own <= 3000,
    `with both of its later parts ${whole} B, @vue/reactivity ${vue} B, dexie ${dexie} B, idb ` +
      `${idb} B`,
  );
}
