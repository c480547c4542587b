import type { Store } from "../api.ts";
import { expectEqual, ok, refused } from "./check.ts";
import type { Statement, Trial } from "./subject.ts";

const isAtomic = ({ store }: Trial): boolean => store.supports.atomic !== "no";
const versionOf = async (store: Store, key: string): Promise<string | null> =>
  (await store.entry(key))?.version ?? null;

async function commitAndFail(store: Store): Promise<void> {
  const created = await store.commit(
    [
      { key: "a", version: null },
      { key: "b", version: null },
    ],
    [
      { key: "a", value: 1 },
      { key: "b", value: { x: [2] }, metadata: "m" },
    ],
  );
  ok(created.ok, "commit on absent keys");
  const [a, b] = [(await store.entry("a"))!, (await store.entry("b"))!];
  expectEqual([a.value, b.value, b.metadata], [1, { x: [2] }, "m"], "what was written");
  expectEqual(
    [a.version, b.version],
    [created.version, created.version],
    "the version of what was written",
  );
  const again = await store.commit(
    [
      { key: "a", version: null },
      { key: "b", version: b.version },
    ],
    [
      { key: "a", value: 9 },
      { key: "c", value: 9 },
    ],
  );
  expectEqual(again, { ok: false, failed: ["a"] }, "commit with a check that fails");
  expectEqual(
    await store.getMany(["a", "b", "c"]),
    [1, { x: [2] }, null],
    "what is stored after a failed commit",
  );
  const wrong = await store.commit(
    [
      { key: "a", version: "0".repeat(20) },
      { key: "c", version: a.version },
      { key: "b", version: b.version },
      { key: "d", version: "" },
    ],
    [],
  );
  expectEqual(wrong, { ok: false, failed: ["a", "c", "d"] }, "the keys whose checks failed");
}

/** Goes on with `a` and `b`. */
async function commitMore(store: Store): Promise<void> {
  const moved = await store.commit(
    [{ key: "a", version: await versionOf(store, "a") }],
    [
      { key: "a", value: null },
      { key: "b", value: 3 },
      { key: "c", value: 0, expires: "1h" },
    ],
  );
  ok(moved.ok, "commit with a check that holds");
  expectEqual(await store.getMany(["a", "b", "c"]), [null, 3, 0], "what is stored after a commit");
  ok((await store.entry("c"))!.expires !== null, "the deadline of a write");
  ok((await store.commit([], [{ key: "d", value: 1 }])).ok, "commit without checks");
  ok(
    (await store.commit([{ key: "d", version: await versionOf(store, "d") }], [])).ok,
    "commit without writes",
  );
  const twice = await store.commit(
    [],
    [
      { key: "e", value: 1 },
      { key: "d", value: null },
      { key: "e", value: 2 },
    ],
  );
  expectEqual(
    [await store.get("e"), await versionOf(store, "e")],
    [2, twice.ok && twice.version],
    "the last of two writes of a key",
  );
  const removed = await store.commit([], [{ key: "e", value: null }]);
  ok(
    removed.ok && /^[0-9a-f]{20}$/.test(removed.version),
    "the version of a commit that only deletes",
  );
}

async function refuseCommits(store: Store): Promise<void> {
  await refused(
    "KV_INVALID_VALUE",
    () =>
      store.commit(
        [],
        [
          { key: "x", value: 1 },
          { key: "y", value: () => 1 },
        ],
      ),
    "commit with a value that is refused",
  );
  await refused(
    "KV_INVALID_EXPIRES",
    () =>
      store.commit(
        [],
        [
          { key: "x", value: 1 },
          { key: "y", value: 1, expires: "soon" },
        ],
      ),
    "commit with an expiry that is refused",
  );
  await refused(
    "KV_INVALID_KEY",
    () =>
      store.commit(
        [],
        [
          { key: "x", value: 1 },
          { key: "", value: 1 },
        ],
      ),
    "commit with a key that is refused",
  );
}

/** Statements A1 and A2. */
export const atomicity: readonly Statement[] = [
  [
    "A1",
    "commit writes all or nothing, and a failed check is a result",
    async (trial) => {
      const { store } = trial;
      if (!isAtomic(trial))
        return void (await refused(
          "KV_NOT_SUPPORTED",
          () => store.commit([], [{ key: "a", value: 1 }]),
          "commit",
        ));
      await commitAndFail(store);
      await commitMore(store);
    },
  ],
  [
    "A1",
    "commit works under a prefix, and everything is checked before anything is written",
    async (trial) => {
      const { store } = trial;
      if (!isAtomic(trial)) return;
      const part = store.prefix("p:");
      await part.set("a", 1);
      expectEqual(
        await part.commit([{ key: "a", version: null }], [{ key: "a", value: 2 }]),
        { ok: false, failed: ["a"] },
        "the failed key",
      );
      ok(
        (
          await part.commit(
            [{ key: "a", version: await versionOf(part, "a") }],
            [
              { key: "a", value: 2 },
              { key: "q", value: 3, prefix: "r:" },
            ],
          )
        ).ok,
        "commit",
      );
      expectEqual(await store.getMany(["p:a", "p:r:q"]), [2, 3], "what is stored");
      await refuseCommits(store);
      expectEqual(await store.has("x"), false, "a key of a refused commit");
    },
  ],
  [
    "A1",
    "an expired record counts as absent",
    async (trial) => {
      const { store, clock } = trial;
      if (!isAtomic(trial)) return;
      await store.set("key", 1, { expires: clock.frozen ? 1 : 0.3 });
      const version = await versionOf(store, "key");
      expectEqual(
        await store.commit([{ key: "key", version: null }], []),
        { ok: false, failed: ["key"] },
        "before the deadline",
      );
      await clock.advance(clock.frozen ? 1000 : 300);
      expectEqual(
        await store.commit([{ key: "key", version }], [{ key: "key", value: 2 }]),
        { ok: false, failed: ["key"] },
        "after the deadline",
      );
      ok(
        (await store.commit([{ key: "key", version: null }], [{ key: "key", value: 3 }])).ok,
        "a check that it is absent",
      );
      expectEqual(await store.get("key"), 3, "get");
    },
  ],
  [
    "A2",
    "of many writers that check the same version, one succeeds",
    async (trial) => {
      const { store } = trial;
      if (!isAtomic(trial)) return;
      for (let round = 0; round < 5; round++) {
        const version = await versionOf(store, "key");
        const results = await Promise.all(
          Array.from({ length: 20 }, (_, i) =>
            store.commit(
              [{ key: "key", version }],
              [
                { key: "key", value: i },
                { key: `won${round}`, value: i },
              ],
            ),
          ),
        );
        expectEqual(results.filter((result) => result.ok).length, 1, "how many succeeded");
        const winner = results.findIndex((result) => result.ok);
        expectEqual(
          await store.getMany(["key", `won${round}`]),
          [winner, winner],
          "what is stored",
        );
      }
    },
  ],
  [
    "A2",
    "no update is lost, whatever else is written at the same time",
    async (trial) => {
      const { store } = trial;
      if (!isAtomic(trial)) return;
      const other = store.prefix("");
      const increment = async (through: Store): Promise<void> => {
        for (;;) {
          const entry = await through.entry<number>("count");
          const { ok } = await through.commit(
            [{ key: "count", version: entry?.version ?? null }],
            [{ key: "count", value: (entry?.value ?? 0) + 1 }],
          );
          if (ok) return;
        }
      };
      await Promise.all(Array.from({ length: 40 }, (_, i) => increment(i % 2 ? store : other)));
      expectEqual(await store.get("count"), 40, "the count");
      // A plain write never slips in between the check and the write of a commit: one of the two
      // comes last as a whole.
      await store.set("plain", "start");
      for (let round = 0; round < 20; round++) {
        const version = await versionOf(store, "plain");
        const [, result] = await Promise.all([
          store.set("plain", `set ${round}`),
          store.commit([{ key: "plain", version }], [{ key: "plain", value: `commit ${round}` }]),
        ]);
        const value = await store.get("plain");
        ok(
          value === `set ${round}` || (result.ok && value === `commit ${round}`),
          `round ${round}: ${JSON.stringify(value)}`,
        );
        const next = await versionOf(store, "plain");
        ok(next !== version, "the version changed");
      }
    },
  ],
];
