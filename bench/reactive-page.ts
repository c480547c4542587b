// What bench/reactive.ts runs in Chromium.
import Dexie, { liveQuery } from "dexie";
import { openDB } from "idb";
import { createKVStore, type KVFn, type KVState } from "../src/reactive/index.ts";
import { type Contender, race } from "./race.ts";

interface Item {
  id: number;
  n: number;
  text: string;
}

const KEYS = 10_000;
const STATES = 1000;
const CHANGES = 10_000;
const item = (id: number): Item => ({
  id,
  n: 0,
  text: `this is the text of the item number ${id}`,
});
const keys = Array.from({ length: KEYS }, (_, i) => `key:${i}`);

async function fill(database: string, store: string, count: number): Promise<void> {
  const db = await openDB(database, 1, { upgrade: (db) => void db.createObjectStore(store) });
  const transaction = db.transaction(store, "readwrite");
  for (let i = 0; i < count; i++) void transaction.store.put(item(i), keys[i]);
  await transaction.done;
  db.close();
}

const dexie = async (name: string): Promise<Dexie> => {
  const db = new Dexie(name);
  db.version(1).stores({ items: "" });
  return db.open();
};

/** The time until 10,000 rows are in memory, a new connection included. */
export async function load(): Promise<{ [name: string]: number }> {
  for (const name of ["anykv", "idb"]) await fill(`load ${name}`, "items", KEYS);
  const filling = await dexie("load dexie");
  await filling.table("items").bulkPut(
    keys.map((_, i) => item(i)),
    keys,
  );
  filling.close();
  let close = (): unknown => undefined;
  const loading = (round: () => Promise<unknown>): Contender => ({ round, before: () => close() });
  return race(
    {
      anykv: loading(async () => {
        const kv = createKVStore("items", 1, "load anykv");
        close = () => kv.store().close();
        await kv.ready();
        if ((kv.store().get("key:9999") as Item).id !== 9999) throw new Error("not loaded");
      }),
      dexie: loading(async () => {
        const db = await dexie("load dexie");
        close = () => db.close();
        const found = await new Promise<Item[]>(
          (resolve, reject) =>
            void liveQuery(() => db.table<Item>("items").toArray()).subscribe(resolve, reject),
        );
        if (found.length !== KEYS) throw new Error("not loaded");
      }),
      idb: loading(async () => {
        const db = await openDB("load idb", 1);
        close = () => db.close();
        const [found] = await Promise.all([db.getAllKeys("items"), db.getAll("items")]);
        if (found.length !== KEYS) throw new Error("not loaded");
      }),
    },
    9,
  );
}

/**
 * The time until 10,000 changes of 1,000 values are stored, and all who watch one of the values
 * were told.
 */
export async function change(): Promise<{ [name: string]: number }> {
  const kv: KVFn = createKVStore("items", 1, "change anykv");
  const states: KVState<Item>[] = Array.from({ length: STATES }, (_, i) => kv(keys[i]!, item(i)));
  let told = 0;
  for (const state of states) kv.subscribe(state, () => told++);
  await kv.ready();

  const watched = await dexie("change dexie");
  const table = watched.table<Item>("items");
  await table.bulkPut(
    states.map((_, i) => item(i)),
    keys.slice(0, STATES),
  );
  const seen: number[] = [];
  await Promise.all(
    states.map(
      (_, i) =>
        new Promise<void>(
          (resolve) =>
            void liveQuery(() => table.get(keys[i]!)).subscribe((found) => {
              seen[i] = found!.n;
              resolve();
            }),
        ),
    ),
  );

  await fill("change idb", "items", STATES);
  const db = await openDB("change idb", 1);
  let n = 0;
  return race(
    {
      anykv: {
        round: async () => {
          told = 0;
          for (let i = 0; i < CHANGES; i++) states[i % STATES]!.data.n++;
          await kv.ready();
          if (told < STATES) throw new Error("not told");
        },
      },
      "dexie, one transaction": {
        round: async () => {
          n += 10;
          await watched.transaction("rw", "items", async () => {
            const done: PromiseLike<unknown>[] = [];
            for (let i = 0; i < CHANGES; i++)
              done.push(table.update(keys[i % STATES]!, { n: n - 9 + Math.floor(i / STATES) }));
            await Promise.all(done);
          });
          while (seen.some((value) => value !== n))
            await new Promise((resolve) => setTimeout(resolve));
        },
      },
      "idb, a transaction each": {
        round: () =>
          Promise.all(
            Array.from({ length: CHANGES }, (_, i) =>
              db.put("items", { ...item(i % STATES), n: i }, keys[i % STATES]),
            ),
          ),
      },
      "idb, one transaction": {
        round: async () => {
          const transaction = db.transaction("items", "readwrite");
          for (let i = 0; i < CHANGES; i++)
            void transaction.store.put({ ...item(i % STATES), n: i }, keys[i % STATES]);
          await transaction.done;
        },
      },
    },
    5,
  );
}
