import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Store } from "../../src/api.ts";
import { atomic } from "../../src/atomic/index.ts";
import { until } from "./daemon.ts";
import { isLinearizable, type Operation, type Value } from "./linearizable.ts";
import { isFull } from "./runs.ts";

const script = join(import.meta.dirname, "../programs/bank-process.ts");
const ACCOUNTS = Array.from({ length: 10 }, (_, i) => `account ${i}`);
const EACH = 100;

/** How many transfers each process makes before and after something happens. */
const EACH_MAKES = isFull ? 20 : 10;

const pick = (): string => ACCOUNTS[Math.floor(Math.random() * ACCOUNTS.length)]!;

/** Fills the accounts. */
export async function openBank(store: Store): Promise<void> {
  await store.setMany(ACCOUNTS.map((account) => [account, EACH]));
}

/**
 * Moves a random amount between two accounts, and notes in the same transaction how many transfers
 * this worker has made. Resolves to whether it took place.
 */
export async function transfer(store: Store, worker: string, made: number): Promise<boolean> {
  const [from, to] = [pick(), pick()];
  if (from === to) return false;
  const [a, b] = await Promise.all([store.entry<number>(from), store.entry<number>(to)]);
  const amount = Math.min(a!.value, Math.ceil(Math.random() * 20));
  const { ok } = await atomic(store)
    .check(a!, b!)
    .set(from, a!.value - amount)
    .set(to, b!.value + amount)
    .set(`made by ${worker}`, made + 1)
    .commit();
  return ok;
}

/** All balances at one moment: read, and proven not to have changed meanwhile. */
export async function balances(store: Store): Promise<number[] | null> {
  const entries = (await Promise.all(ACCOUNTS.map((account) => store.entry<number>(account)))) as {
    key: string;
    value: number;
    version: string;
  }[];
  const { ok } = await atomic(store)
    .check(...entries)
    .commit();
  return ok ? entries.map(({ value }) => value) : null;
}

const sum = (numbers: readonly number[]): number =>
  numbers.reduce((total, each) => total + each, 0);

/** Workers in this process move money, a reader counts it all the while. */
export async function transfersTogether(stores: readonly Store[], times: number): Promise<void> {
  const [first] = stores as [Store];
  await openBank(first);
  const over = new AbortController();
  const counted = new AbortController();
  /**
   * Until somebody has counted: that needs a moment in which nobody writes, so that each rests now
   * and then.
   */
  const work = async (store: Store, worker: number): Promise<number> => {
    let made = 0;
    while (made < times || !counted.signal.aborted) {
      if (await transfer(store, `${worker}`, made)) made++;
      if (made % 10 === 0) await sleep(Math.random() * 10);
    }
    return made;
  };
  const read = async (): Promise<void> => {
    // Clients that answer at once leave no turn to anything else.
    for (; !over.signal.aborted; await new Promise(setImmediate)) {
      const found = await balances(first);
      if (found === null) continue;
      expect(sum(found)).toBe(EACH * ACCOUNTS.length);
      counted.abort();
    }
  };
  const [made] = await Promise.all([
    Promise.all(stores.map(work)).finally(() => over.abort()),
    read(),
  ]);
  expect(sum((await balances(first))!)).toBe(EACH * ACCOUNTS.length);
  for (const [worker, times] of made.entries())
    expect(await first.get(`made by ${worker}`)).toBe(times);
}

/**
 * Processes move money; one of them is killed and `meanwhile` happens. What each acknowledged on
 * its output is there, the sum never changes. `place` is what `bank-process.ts` opens by the name:
 * a folder or a URL.
 */
export async function transfersInProcesses(
  name: string,
  place: string,
  store: Store,
  meanwhile?: () => Promise<void>,
): Promise<void> {
  await openBank(store);
  const workers = ["a", "b", "victim"].map((worker) => {
    const child = spawn(
      process.execPath,
      ["--disable-warning=ExperimentalWarning", script, name, place, worker],
      { stdio: ["pipe", "pipe", "inherit"] },
    );
    // A test that fails leaves no process behind.
    onTestFinished(() => void child.kill("SIGKILL"));
    const state = {
      worker,
      child,
      made: 0,
      ended: once(child, "close") as Promise<[number | null]>,
    };
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      const numbers = text
        .split("\n")
        .filter((line) => line !== "")
        .map(Number);
      state.made = numbers.at(-1) ?? state.made;
    });
    return state;
  });
  const [a, b, victim] = workers as [(typeof workers)[0], (typeof workers)[0], (typeof workers)[0]];
  const over = new AbortController();
  const read = async (): Promise<void> => {
    for (; !over.signal.aborted; await sleep(5)) {
      const found = await balances(store).catch(() => null);
      if (found !== null) expect(sum(found)).toBe(EACH * ACCOUNTS.length);
    }
  };
  const reading = read();
  await until("each has made some transfers", () =>
    workers.every(({ made }) => made >= EACH_MAKES),
  );
  victim.child.kill("SIGKILL");
  await meanwhile?.();
  const before = [a.made, b.made] as const;
  await until(
    "the others have gone on",
    () => a.made >= before[0] + EACH_MAKES && b.made >= before[1] + EACH_MAKES,
  );
  [a, b].forEach(({ child }) => child.stdin.end());
  const codes = await Promise.all([a.ended, b.ended]);
  over.abort();
  expect(codes.map(([code]) => code)).toEqual([0, 0]);
  await reading;
  await victim.ended;
  await until("the store answers", async () => (await balances(store).catch(() => null)) !== null);
  expect(sum((await balances(store))!)).toBe(EACH * ACCOUNTS.length);
  expect([await store.get("made by a"), await store.get("made by b")]).toEqual([a.made, b.made]);
  // Its last transfer may have been made without being told.
  expect([victim.made, victim.made + 1]).toContain(await store.get("made by victim"));
}

/** Sets a value if another was there before. */
export type Swap = (store: Store, key: string, expected: Value, value: Value) => Promise<boolean>;

const honest: Swap = async (store, key, expected, value) => {
  const entry = await store.entry<number>(key);
  if ((entry?.value ?? null) !== expected) return false;
  return (
    await atomic(store)
      .check({ key, version: entry?.version ?? null })
      .set(key, value)
      .commit()
  ).ok;
};

/** What compare-and-set is there to replace. */
export const broken: Swap = async (store, key, expected, value) => {
  if ((await store.get(key)) !== expected) return false;
  await store.set(key, value);
  return true;
};

/** What several workers did to one key, with all values different. */
export async function historyOf(
  stores: readonly Store[],
  times: number,
  swap: Swap = honest,
): Promise<Operation[]> {
  const history: Operation[] = [];
  const key = `register ${Math.random()}`;
  let clock = 0;
  let last = 0;
  const work = async (store: Store): Promise<void> => {
    let known: Value = null;
    for (let i = 0; i < times; i++) {
      const called = clock++;
      const chance = Math.random();
      if (chance < 0.4) {
        known = await store.get<number>(key);
        history.push({ kind: "read", called, value: known, returned: clock++ });
      } else if (chance < 0.55) {
        const value = chance < 0.45 ? null : ++last;
        await store.set(key, value);
        history.push({ kind: "write", called, value, returned: clock++ });
      } else {
        const [expected, value]: [Value, Value] = [known, ++last];
        const done = await swap(store, key, expected, value);
        history.push({ kind: "swap", called, expected, value, done, returned: clock++ });
        if (done) known = value;
      }
    }
  };
  await Promise.all(stores.map(work));
  return history.sort((a, b) => a.called - b.called);
}

/**
 * Transfers, lost updates and linearizability on one kind of client. `open` answers with several
 * stores over the same data, or the same store several times.
 */
export function jepsen(
  name: string,
  {
    open,
    times = 40,
    processes,
  }: {
    open: () => Promise<Store[]> | Store[];
    times?: number;
    processes?: (store: Store) => Promise<void>;
  },
): void {
  describe(`${name} under contention`, () => {
    it("keeps the sum of ten accounts, and loses no transfer", async () => {
      const stores = await open();
      await transfersTogether(stores, times);
      await Promise.all(stores.map((store) => store.close()));
    });

    it("answers as one register would: its histories are linearizable", async () => {
      const stores = await open();
      for (let round = 0; round < 5; round++) {
        const history = await historyOf(stores, 20);
        expect(isLinearizable(history), JSON.stringify(history)).toBe(true);
      }
      await Promise.all(stores.map((store) => store.close()));
    });

    for (const across of processes === undefined ? [] : [processes]) {
      it("does so across processes, one of which is killed", async () => {
        const [store, ...others] = (await open()) as [Store, ...Store[]];
        await across(store);
        await Promise.all([store, ...others].map((each) => each.close()));
      });
    }
  });
}
