import { expect } from "vitest";
import type { Case } from "../schema-suite.ts";
import { type App, appOn, byBytes } from "./app.ts";

/** Numbers by chance that come again with the same seed. */
function chance(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** What the fields of an app hold, as plain JavaScript has it. */
class Model {
  number: number | undefined;
  set: Set<string> = new Set();
  list: string[] = [];
  hash: Map<string, string> = new Map();
  sorted: Map<string, number> = new Map();
  small: Map<number, number> | undefined;
  wide: Map<number, bigint> | undefined;
  ranked(): [string, number][] {
    return [...this.sorted].sort(([a, x], [b, y]) => x - y || byBytes(a, b));
  }
}

type Step = (
  app: App,
  model: Model,
  pick: (below: number) => number,
) => { name: string; real: Promise<unknown>; expected: unknown };

const MEMBERS = ["a", "b", "B", "é", "🎉", "\uffff", "10", "9", "__proto__"];
const SCORES = [0, 1, -1, 0.1, 1e21, -1.5, 3];
const member = (pick: (below: number) => number): string => MEMBERS[pick(MEMBERS.length)]!;
const some = (pick: (below: number) => number): string[] =>
  Array.from({ length: pick(4) }, () => member(pick));
const place = (pick: (below: number) => number): number => pick(13) - 6;
const added = (before: number, after: { size: number }): number => after.size - before;

const STEPS: readonly Step[] = [
  (app, model, pick) => {
    const by = [1, -1, 0.1, 2.5, 1e15][pick(5)]!;
    return {
      name: `increment ${by}`,
      real: app.take("number").increment(by),
      expected: (model.number = (model.number ?? 0) + by),
    };
  },
  (app, model) => ({ name: "number", real: app.take("number").read(), expected: model.number }),
  (app, model, pick) => {
    const members = some(pick);
    const before = model.set.size;
    for (const each of members) model.set.add(each);
    return {
      name: `add ${members}`,
      real: app.take("set").add(members),
      expected: added(before, model.set),
    };
  },
  (app, model, pick) => {
    const members = some(pick);
    return {
      name: `remove ${members}`,
      real: app.take("set").remove(members),
      expected: [...new Set(members)].filter((each) => model.set.delete(each)).length,
    };
  },
  (app, model, pick) => {
    const members = some(pick);
    model.set = new Set(members);
    return { name: `write ${members}`, real: app.take("set").write(members), expected: undefined };
  },
  (app, model, pick) => {
    const each = member(pick);
    return { name: `has ${each}`, real: app.take("set").has(each), expected: model.set.has(each) };
  },
  (app, model) => ({
    name: "set",
    real: app
      .take("set")
      .read()
      .then((found) => found && [...found].sort()),
    expected: model.set.size === 0 ? undefined : [...model.set].sort(),
  }),
  (app, model, pick) => {
    const items = some(pick);
    model.list.push(...items);
    return {
      name: `push ${items}`,
      real: app.take("list").push(items),
      expected: model.list.length,
    };
  },
  (app, model, pick) => {
    const items = some(pick);
    model.list.unshift(...items);
    return {
      name: `unshift ${items}`,
      real: app.take("list").unshift(items),
      expected: model.list.length,
    };
  },
  (app, model) => ({ name: "pop", real: app.take("list").pop(), expected: model.list.pop() }),
  (app, model) => ({ name: "shift", real: app.take("list").shift(), expected: model.list.shift() }),
  (app, model, pick) => {
    const [start, end] = [place(pick), pick(3) === 0 ? undefined : place(pick)];
    return {
      name: `range ${start} ${end}`,
      real: app.take("list").range(start, end),
      expected: model.list.slice(start, end),
    };
  },
  (app, model, pick) => {
    const [start, end] = [pick(4) - 1, pick(2) === 0 ? undefined : pick(9) - 2];
    model.list = model.list.slice(start, end);
    return {
      name: `trim ${start} ${end}`,
      real: app.take("list").trim(start, end),
      expected: undefined,
    };
  },
  (app, model) => ({
    name: "list",
    real: app.take("list").read(),
    expected: model.list.length === 0 ? undefined : model.list,
  }),
  (app, model, pick) => {
    const [name, value] = [member(pick), member(pick)];
    const isNew = !model.hash.has(name);
    model.hash.set(name, value);
    return { name: `set ${name}`, real: app.take("hash").set(name, value), expected: isNew };
  },
  (app, model, pick) => {
    const names = some(pick);
    return {
      name: `hash.remove ${names}`,
      real: app.take("hash").remove(names),
      expected: [...new Set(names)].filter((each) => model.hash.delete(each)).length,
    };
  },
  (app, model) => ({
    name: "hash",
    real: app
      .take("hash")
      .read()
      .then((found) => found && Object.entries(found).sort()),
    expected: model.hash.size === 0 ? undefined : [...model.hash].sort(),
  }),
  (app, model, pick) => {
    const entries = some(pick).map((each) => [each, SCORES[pick(SCORES.length)]!] as const);
    const before = model.sorted.size;
    for (const [each, score] of entries) model.sorted.set(each, score);
    return {
      name: `sorted.add ${entries}`,
      real: app.take("sorted").addAll(entries),
      expected: added(before, model.sorted),
    };
  },
  (app, model, pick) => {
    const [each, by] = [member(pick), SCORES[pick(SCORES.length)]!];
    const score = (model.sorted.get(each) ?? 0) + by;
    model.sorted.set(each, score);
    return {
      name: `sorted.increment ${each} ${by}`,
      real: app.take("sorted").increment(each, by),
      expected: score,
    };
  },
  (app, model, pick) => {
    const members = some(pick);
    return {
      name: `sorted.remove ${members}`,
      real: app.take("sorted").remove(members),
      expected: [...new Set(members)].filter((each) => model.sorted.delete(each)).length,
    };
  },
  (app, model, pick) => {
    const [start, end, reverse] = [
      place(pick),
      pick(3) === 0 ? undefined : place(pick),
      pick(2) === 0,
    ];
    const ranked = reverse ? model.ranked().reverse() : model.ranked();
    return {
      name: `sorted.range ${start} ${end} ${reverse}`,
      real: app.take("sorted").range(start, end, { reverse }),
      expected: ranked.slice(start, end),
    };
  },
  (app, model, pick) => {
    const [min, max, reverse] = [
      SCORES[pick(SCORES.length)]!,
      pick(3) === 0 ? Infinity : SCORES[pick(SCORES.length)]!,
      pick(2) === 0,
    ];
    const found = model.ranked().filter(([, score]) => score >= min && score <= max);
    return {
      name: `between ${min} ${max} ${reverse}`,
      real: app.take("sorted").between(min, max, { reverse }),
      expected: reverse ? found.reverse() : found,
    };
  },
  (app, model, pick) => {
    const each = member(pick);
    const [up, down] = [model.ranked(), model.ranked().reverse()].map((ranked) =>
      ranked.findIndex(([name]) => name === each),
    );
    const real = Promise.all([
      app.take("sorted").score(each),
      app.take("sorted").rank(each),
      app.take("sorted").rank(each, { reverse: true }),
      app.take("sorted").size(),
    ]);
    return {
      name: `rank ${each}`,
      real,
      expected: [
        model.sorted.get(each),
        up === -1 ? undefined : up,
        down === -1 ? undefined : down,
        model.sorted.size,
      ],
    };
  },
  (app, model, pick) => {
    const [index, by] = [pick(5), pick(300) - 150];
    model.small ??= new Map();
    const sum = (((model.small.get(index) ?? 0) + by + 128) & 255) - 128;
    model.small.set(index, sum);
    return {
      name: `small ${index} ${by}`,
      real: app.take("small").increment(index, by),
      expected: sum,
    };
  },
  (app, model, pick) => {
    const [start, end] = [pick(6), pick(8)];
    const all = [...(model.small ?? [])].filter(([index]) => index >= start && index < end);
    return {
      name: `small.sum ${start} ${end}`,
      real: app.take("small").sum(start, end),
      expected: all.reduce((sum, [, value]) => sum + value, 0),
    };
  },
  (app, model, pick) => {
    const [index, value] = [
      pick(4),
      BigInt.asIntN(64, BigInt(pick(2 ** 31)) * BigInt(pick(2 ** 31)) * BigInt(pick(9) - 4)),
    ];
    (model.wide ??= new Map()).set(index, value);
    return {
      name: `wide ${index} ${value}`,
      real: app.take("wide").write(index, value),
      expected: undefined,
    };
  },
  (app, model, pick) => {
    const index = pick(4);
    const all = [...(model.wide ?? [])].reduce((sum, [, value]) => sum + value, 0n);
    return {
      name: `wide.read ${index}`,
      real: Promise.all([app.take("wide").read(index), app.take("wide").sum(0, 9)]),
      expected: [model.wide && (model.wide.get(index) ?? 0n), all],
    };
  },
  (app, model, pick) => {
    const kind = (["number", "set", "list", "hash", "sorted", "small", "wide"] as const)[pick(7)]!;
    // Only now and then, or nothing would ever grow.
    if (pick(4) > 0)
      return {
        name: "size",
        real: Promise.all([
          app.take("list").size(),
          app.take("set").size(),
          app
            .take("hash")
            .fields()
            .then((names) => names.sort()),
        ]),
        expected: [model.list.length, model.set.size, [...model.hash.keys()].sort()],
      };
    Object.assign(model, { [kind]: new Model()[kind] });
    return { name: `erase ${kind}`, real: app.take(kind).erase(), expected: undefined };
  },
];

/** Long runs of operations by chance, and what plain JavaScript says of them. */
export function agreement(test: Case): void {
  test("behaves as plain JavaScript", async (store) => {
    const app = appOn(store);
    for (const seed of [1, 2, 3]) {
      const pick = chance(seed);
      const model = new Model();
      await app.erase();
      const done: string[] = [];
      for (let i = 0; i < 250; i++) {
        const { name, real, expected } = STEPS[pick(STEPS.length)]!(app, model, pick);
        done.push(name);
        expect(await real, `seed ${seed}: ${done.slice(-12).join(", ")}`).toEqual(expected);
      }
    }
  });
}
