import { show } from "./cases.ts";
import type { OracleApi } from "./api.ts";

interface Difference {
  /** What a store answers, as a text. */
  readonly ask: (store: OracleApi) => Promise<string>;
  readonly deno: string;
  readonly ours: string;
}

async function outcome(work: () => unknown): Promise<string> {
  let pending: unknown;
  try {
    pending = work();
  } catch {
    return "refused at once";
  }
  return Promise.resolve(pending).then(show, () => "refused");
}

const valueOf = async (store: OracleApi, ...key: string[]): Promise<string> =>
  show((await store.get(key)).value);

async function valuesFrom(store: OracleApi, cursor: string): Promise<string> {
  const values: unknown[] = [];
  const list = store.list({ prefix: ["l"] }, { cursor });
  for (let { done, value } = await list.next(); !done; { done, value } = await list.next())
    values.push(value!.value);
  return show(values);
}

/** Where the two contracts differ on purpose. `docs/versioned.md` has the same as a table. */
export const DIFFERENCES: { readonly [name: string]: Difference } = {
  "a transaction that fails half-way": {
    async ask(store) {
      await store.set(["text"], "text");
      const refusal = await outcome(() =>
        store.commit(
          [],
          [
            ["set", ["a"], 1],
            ["sum", ["text"], 1n],
          ],
        ),
      );
      return `${refusal}; ${await valueOf(store, "a")}`;
    },
    deno: "refused; 1",
    ours: "refused; null",
  },
  "the cursor of a finished listing": {
    async ask(store) {
      await store.set(["l", 1], 1);
      const list = store.list({ prefix: ["l"] });
      await list.next();
      await list.next();
      return valuesFrom(store, list.cursor);
    },
    deno: "[1]",
    ours: "[]",
  },
  "a cursor of another selector": {
    async ask(store) {
      for (const name of ["l", "m"])
        for (const part of ["a", "b"]) await store.set([name, part], part);
      const list = store.list({ prefix: ["m"] });
      await list.next();
      return outcome(() => valuesFrom(store, list.cursor));
    },
    deno: show(show(["b"])),
    ours: "refused",
  },
  "the empty key": {
    ask: (store) => outcome(() => store.get([])),
    deno: "{key: [], value: null, version: null}",
    ours: "refused",
  },
  "11 keys at once": {
    ask: async (store) =>
      (await outcome(() => store.getMany(Array.from({ length: 11 }, (_, i) => [i])))).slice(0, 7),
    deno: "refused",
    ours: "[{key: ",
  },
  "keys with lone surrogates": {
    async ask(store) {
      const made = await outcome(async () => void (await store.set(["\ud800"], 1)));
      return `${made}; ${await outcome(async () => (await store.get(["\udfff"])).value)}`;
    },
    deno: "undefined; 1",
    ours: "refused; refused",
  },
  "a key of a transaction that is none": {
    ask: (store) => outcome(() => store.commit([], [["set", [], 1]])),
    deno: "refused",
    ours: "refused at once",
  },
  "a version that is none": {
    ask: (store) => outcome(() => store.commit([{ key: ["a"], version: "abc" }], [])),
    deno: "refused",
    ours: "refused at once",
  },
  "a value that is no JSON": {
    ask: (store) => outcome(async () => void (await store.set(["a"], new Date(0)))),
    deno: "undefined",
    ours: "refused",
  },
  "a value of 100,000 bytes": {
    ask: (store) => outcome(async () => void (await store.set(["a"], "x".repeat(100_000)))),
    deno: "refused",
    ours: "undefined",
  },
  "what delete() answers": {
    ask: async (store) =>
      `${await outcome(() => store.delete(["a"]))} ` +
      `${await outcome(() => store.set(["a"], 1).then(() => store.delete(["a"])))}`,
    deno: "undefined undefined",
    ours: "false true",
  },
  "closing twice": {
    ask: (store) => outcome(async () => void (await store.close(), await store.close())),
    deno: "refused",
    ours: "undefined",
  },
};

/** What a store answers to each. */
export async function differencesOf(
  open: () => OracleApi | Promise<OracleApi>,
): Promise<{ [name: string]: string }> {
  const answers: { [name: string]: string } = {};
  for (const [name, { ask }] of Object.entries(DIFFERENCES))
    answers[name] = await ask(await open());
  return answers;
}
