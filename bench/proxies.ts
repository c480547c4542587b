import { ReactiveEffect, reactive, toRaw, traverse } from "@vue/reactivity";
import { proxy, snapshot, subscribe } from "valtio/vanilla";
import { unstable_deepProxy as deepProxy } from "valtio/vanilla/utils";
import { observeReads } from "../src/reactive/observe.ts";
import { size } from "./reactive.ts";

interface Data {
  rows: { id: number; name: string; tags: string[]; at: { x: number } }[];
}
/** Four nodes a row. */
const data = (rows: number): Data => ({
  rows: Array.from({ length: rows }, (_, id) => ({
    id,
    name: `row ${id}`,
    tags: ["a"],
    at: { x: id },
  })),
});

/**
 * A value under watch: after a change of it, `plain` gives a copy for structured clone, and is
 * ready to hear of the next.
 */
interface Watched {
  readonly data: Data;
  readonly isStale: () => boolean;
  plain(): unknown;
}

const ways: { readonly [name: string]: (value: Data) => Watched } = {
  "@vue/reactivity, one deep effect": (value) => {
    const state = reactive({ data: value });
    let isStale = false;
    const effect = new ReactiveEffect(() => traverse(state));
    effect.scheduler = () => void (isStale = true);
    effect.run();
    return {
      data: state.data,
      isStale: () => isStale,
      plain: () => ((isStale = false), effect.run(), toRaw(state).data),
    };
  },
  "@vue/reactivity, computed copies (ours)": (value) => {
    const state = reactive({ data: value });
    let isStale = false;
    const observer = observeReads(
      () => state.data,
      () => void (isStale = true),
    );
    return {
      data: state.data,
      isStale: () => isStale,
      plain: () => ((isStale = false), observer.run(), observer.copy),
    };
  },
  valtio: (value) => {
    const state = proxy({ data: value });
    let isStale = false;
    subscribe(state, () => void (isStale = true), true);
    snapshot(state);
    return {
      data: state.data,
      isStale: () => isStale,
      plain: () => ((isStale = false), snapshot(state).data),
    };
  },
};

const median = (numbers: number[]): number => numbers.sort((a, b) => a - b)[numbers.length >> 1]!;
const timed = (work: () => unknown): number => {
  const start = performance.now();
  work();
  return performance.now() - start;
};
const heap = (): number => (globalThis.gc!(), process.memoryUsage().heapUsed);

function costs(name: string, make: (value: Data) => Watched, rows: number): void {
  const value = data(rows);
  const before = heap();
  let watched!: Watched;
  const making = timed(() => (watched = make(value)));
  const bytes = heap() - before;
  const [changing, copying, cloning]: [number[], number[], number[]] = [[], [], []];
  for (let i = 0; i < 31; i++) {
    changing.push(timed(() => (watched.data.rows[(i * 7) % rows]!.at.x += 1)));
    if (!watched.isStale()) throw new Error(`${name} missed a change`);
    let copy: unknown;
    copying.push(timed(() => (copy = watched.plain())));
    cloning.push(timed(() => structuredClone(copy)));
  }
  const figures = [
    `made in ${making.toFixed(0)} ms`,
    `${(bytes / 1e6).toFixed(1)} MB`,
    `a change ${(median(changing) * 1000).toFixed(0)} µs`,
    `the copy after it ${median(copying).toFixed(2)} ms`,
    `its clone ${median(cloning).toFixed(2)} ms`,
  ];
  console.log(
    `      proxies: ${`${(rows * 4).toLocaleString("en")} nodes, ${name}`.padEnd(62)} ` +
      `${figures.join(", ")}`,
  );
}

const told = (work: () => unknown): string => {
  try {
    return String(work());
  } catch (error) {
    return (error as Error).name;
  }
};

/**
 * What each library sees of a change inside a Map: of one that was there at first, and of one that
 * came later.
 */
function maps(): void {
  let count = 0;
  const seen = (change: () => unknown): string => {
    count = 0;
    change();
    return count > 0 ? "seen" : "missed";
  };
  const begin = (): { map: Map<string, { n: number }>; later: Map<string, number> } => ({
    map: new Map([["k", { n: 1 }]]),
    later: new Map(),
  });
  const clone = (copy: unknown): string =>
    told(() => Object.prototype.toString.call(structuredClone(copy)));

  const theirs = deepProxy(begin()) as ReturnType<typeof begin>;
  subscribe(theirs, () => count++, true);
  theirs.later = new Map();
  const valtio = [
    seen(() => (theirs.map.get("k")!.n = 2)),
    seen(() => theirs.later.set("x", 1)),
    theirs.map instanceof Map,
    clone(snapshot(theirs).map),
  ];

  const state = reactive(begin()) as ReturnType<typeof begin>;
  const observer = observeReads(
    () => state,
    () => void count++,
  );
  state.later = new Map();
  observer.run();
  const vue = [
    seen(() => (state.map.get("k")!.n = 2)),
    seen(() => state.later.set("x", 1)),
    state.map instanceof Map,
  ];
  observer.run();
  vue.push(clone((observer.copy as typeof state).map));
  console.log(
    "      proxies: a change in a Map, in one that came later; is it a Map; what its copy is " +
      `cloned to: @vue/reactivity ${vue.join(", ")}; valtio ${valtio.join(", ")}`,
  );
}

/** The libraries that anykv/reactive could stand on, by what it asks of them. */
export async function proxies(): Promise<void> {
  for (const rows of [25, 25_000])
    for (const [name, make] of Object.entries(ways)) costs(name, make, rows);
  maps();
  const vue = await size(
    'export { computed, effectScope, ReactiveEffect, reactive, toRaw } from "@vue/reactivity"',
    true,
    [],
  );
  const valtio = await size(
    'export { proxy, snapshot, subscribe } from "valtio/vanilla"',
    true,
    [],
  );
  const withMaps = await size(
    'export { proxy, snapshot, subscribe } from "valtio/vanilla"; export { proxyMap, proxySet } ' +
      'from "valtio/vanilla/utils"',
    true,
    [],
  );
  console.log(
    `      proxies: bytes: @vue/reactivity ${vue}, valtio ${valtio}, with its Map and Set ` +
      `${withMaps}`,
  );
}
