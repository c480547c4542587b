import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { Level } from "level";
import { afterEach, expect, it, vi } from "vitest";
import type { Store } from "../../src/api.ts";
import { place } from "../support/disk.ts";

/** A client that keeps its data, opened anew each time. */
const CLIENTS: { readonly [type: string]: (folder: string) => unknown } = {
  FILE: (folder) => pathToFileURL(`${folder}/data.json`),
  FOLDER: (folder) => pathToFileURL(`${folder}/data/`),
  SQLITE: (folder) => new DatabaseSync(`${folder}/data.db`),
  LEVEL: (folder) => new Level(`${folder}/level`),
  STORAGE: () => localStorage,
};

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

afterEach(() => void vi.useRealTimers());

/** The work on a store of a process that starts now: a copy of the library of its own. */
async function inNewProcess<T>(client: unknown, work: (store: Store) => Promise<T>): Promise<T> {
  vi.resetModules();
  const { default: kv } = await import("../../src/index.ts");
  const store = kv(client as Map<string, unknown>) as Store;
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

const writeAt = async (
  moment: number,
  client: unknown,
  key: string,
  read: string,
): Promise<string> => {
  vi.useFakeTimers({ toFake: ["Date"], now: moment });
  return inNewProcess(client, async (store) => {
    await store.get(read);
    await store.set(key, moment);
    return (await store.entry(key))!.version!;
  });
};

it.each(Object.keys(CLIENTS))(
  "%s: versions go on growing when the clock is set back an hour",
  async (type) => {
    const folder = place();
    const open = (): unknown => CLIENTS[type]!(folder);
    const now = Date.now();
    const first = await writeAt(now, open(), "a", "a");
    // Overwrites what it has read, then something else.
    const second = await writeAt(now - HOUR, open(), "a", "a");
    const third = await writeAt(now - 2 * HOUR, open(), "b", "a");
    expect(second > first).toBe(true);
    expect(third > second).toBe(true);
    // Time goes on from there.
    expect((await writeAt(now + HOUR, open(), "a", "b")) > third).toBe(true);
  },
);

it.each(Object.keys(CLIENTS))(
  "%s: a version that is more than a day ahead does not move the clock",
  async (type) => {
    const folder = place();
    const open = (): unknown => CLIENTS[type]!(folder);
    const now = Date.now();
    const far = await writeAt(now, open(), "a", "a");
    expect((await writeAt(now - DAY - HOUR, open(), "b", "a")) < far).toBe(true);
    expect((await writeAt(now - DAY + HOUR, open(), "b", "a")) > far).toBe(true);
  },
);
