import type { Store } from "../api.ts";
import { KvError } from "../errors.ts";
import type { Backend, Memory } from "./backend.ts";
import { live, type Shared } from "./live.ts";
import type { KVSeed } from "./types.ts";

const MARK = "~";
const isMarked = (value: unknown): value is { "~": string; value?: unknown } =>
  typeof value === "object" && value !== null && Object.hasOwn(value, MARK);

// A store keeps no null, which is a value here.
const pack = (value: unknown): unknown =>
  value === undefined
    ? null
    : value === null
      ? { [MARK]: "null" }
      : isMarked(value)
        ? { [MARK]: "object", value }
        : value;
const unpack = (value: unknown): unknown =>
  value === null
    ? undefined
    : !isMarked(value)
      ? value
      : value[MARK] === "null"
        ? null
        : value.value;

/** Rows in a store, under keys that begin with the name and a colon. */
export function storeBackend(
  store: Store<unknown>,
  name: string,
  seeds: readonly KVSeed<unknown>[] | undefined,
  interval: number,
  memory: Memory,
): Backend {
  if (name.includes(":"))
    throw new KvError(
      "KV_INVALID_VALUE",
      `the name ${JSON.stringify(name)} cannot have a colon, where the keys begin`,
    );
  const rows = store.prefix(`${name}:`);
  let last: Promise<unknown> = Promise.resolve();
  // One after the other: not every client keeps the order of what it is asked for at once.
  const next = <T>(work: () => Promise<T>): Promise<T> => {
    const done = last.then(work);
    last = done.catch(() => {});
    return done;
  };

  /** Seeds are sown once, into an empty store. */
  async function sow(): Promise<void> {
    const marker = `${name}.seeded`;
    if (seeds === undefined || (await store.has(marker))) return;
    if ((await rows.list({ limit: 1 })).entries.length === 0)
      await rows.setMany(seeds.map(([key, value]) => [key, pack(value)] as const));
    await store.set(marker, true);
  }

  const shared: Shared = {
    channel: `anykv:${store.type}:${name}`,
    interval,
    load: () =>
      next(async () => {
        await sow();
        return (await rows.entries()).map(([key, value]) => [key, unpack(value)] as const);
      }),
    read: (keys) => next(async () => (await rows.getMany(keys)).map(unpack)),
    write: (changes, sent) =>
      next(async () => {
        const beginnings = changes.filter((change) => change[2]).map(([key]) => key);
        for (;;) {
          const there = beginnings.length > 0 ? await rows.getMany(beginnings) : [];
          const found = beginnings
            .map((key, i) => [key, unpack(there[i])] as const)
            .filter(([, value]) => value !== undefined);
          const missing = beginnings.filter((_, i) => there[i] === null);
          const writes = changes
            .filter(([key, , isBeginning]) => !isBeginning || missing.includes(key))
            .map(([key, value]) => ({ key, value: pack(value) }));
          const done =
            store.supports.atomic === "no"
              ? rows.setMany(writes.map(({ key, value }) => [key, value] as const))
              : rows.commit(
                  missing.map((key) => ({ key, version: null })),
                  writes,
                );
          sent();
          const result = await done;
          if (!("ok" in result) || result.ok) return found;
        }
      }),
    close: async () => {
      await last;
    },
  };
  return live(shared, memory);
}
