import type { Store, StoreWatch } from "../api.ts";
import { KvError } from "../errors.ts";
import type { Backend, Memory, RowChange } from "./backend.ts";
import { Live } from "./live.ts";
import type { Shared } from "./shared.ts";
import type { KVSeed } from "./types.ts";
import { unref } from "../platform/unref.ts";

const MARK = "~";
const isMarked = (value: unknown): value is { "~": string; value?: unknown } =>
  typeof value === "object" && value !== null && Object.hasOwn(value, MARK);

// A store keeps no null, but a row may hold it.
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

/** Rows in a store. */
class StoreRows implements Shared {
  readonly channel: string;
  readonly looks: boolean;
  readonly watch?: (changed: (key: string) => void) => void;
  #watching: StoreWatch<unknown> | undefined;
  #isClosed = false;
  readonly #store: Store<unknown>;
  readonly #name: string;
  readonly #seeds: readonly KVSeed<unknown>[] | undefined;
  readonly #rows: Store<unknown>;
  #last: Promise<unknown> = Promise.resolve();

  constructor(
    store: Store<unknown>,
    name: string,
    seeds: readonly KVSeed<unknown>[] | undefined,
    interval: number,
  ) {
    this.channel = `anykv:${store.type}:${name}`;
    this.looks = interval > 0;
    // An endless interval means: only when a row is used first.
    if (interval > 0 && interval < Infinity)
      this.watch = (changed) => void this.#watch(interval / 1000, changed);
    this.#store = store;
    this.#name = name;
    this.#seeds = seeds;
    this.#rows = store.prefix(`${name}:`);
  }

  /** Reports changes until the rows are closed, also after an outage. */
  async #watch(interval: number, changed: (key: string) => void): Promise<void> {
    let isAgain = false;
    while (!this.#isClosed) {
      try {
        const watch = this.#rows.watch({ prefix: "" }, { interval, initial: isAgain });
        this.#watching = watch;
        for await (const { key } of watch) changed(key);
      } catch {
        // The outage was longer than the timeout of the store. Writes report it to their callers.
      }
      isAgain = true;
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, interval * 1000);
        unref(timer);
      });
    }
  }

  /** Runs one call after the other: some clients do not keep the order of calls. */
  #next<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => {});
    return done;
  }

  /** Seeds are written once, into an empty store. */
  async #sow(): Promise<void> {
    const marker = `${this.#name}.seeded`;
    if (this.#seeds === undefined || (await this.#store.has(marker))) return;
    if ((await this.#rows.list({ limit: 1 })).entries.length === 0)
      await this.#rows.setMany(this.#seeds.map(([key, value]) => [key, pack(value)] as const));
    await this.#store.set(marker, true);
  }

  load(): Promise<RowChange[]> {
    return this.#next(async () => {
      await this.#sow();
      return (await this.#rows.entries()).map(([key, value]) => [key, unpack(value)] as const);
    });
  }

  read(keys: readonly string[]): Promise<unknown[]> {
    return this.#next(async () => (await this.#rows.getMany(keys)).map(unpack));
  }

  write(changes: readonly RowChange[], sent: () => void): Promise<readonly RowChange[]> {
    return this.#next(async () => {
      for (;;) {
        const found = await this.#attempt(changes, sent);
        if (found !== null) return found;
      }
    });
  }

  /** Resolves to the rows that were there; `null` when another process has begun one meanwhile. */
  async #attempt(
    changes: readonly RowChange[],
    sent: () => void,
  ): Promise<readonly RowChange[] | null> {
    const rows = this.#rows;
    const beginnings = changes.filter((change) => change[2]).map(([key]) => key);
    const there = beginnings.length > 0 ? await rows.getMany(beginnings) : [];
    const found = beginnings
      .map((key, i) => [key, unpack(there[i])] as const)
      .filter(([, value]) => value !== undefined);
    const missing = beginnings.filter((_, i) => there[i] === null);
    const writes = changes
      .filter(([key, , isBeginning]) => !isBeginning || missing.includes(key))
      .map(([key, value]) => ({ key, value: pack(value) }));
    const done =
      this.#store.supports.atomic === "no"
        ? rows.setMany(writes.map(({ key, value }) => [key, value] as const))
        : rows.commit(
            missing.map((key) => ({ key, version: null })),
            writes,
          );
    sent();
    const result = await done;
    return !("ok" in result) || result.ok ? found : null;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#watching?.close();
    await this.#last;
  }
}

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
  return new Live(new StoreRows(store, name, seeds, interval), memory);
}
