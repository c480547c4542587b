import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import Database from "better-sqlite3";
import { Level } from "level";
import polystore from "polystore";
import kv, { type Store } from "anykv";
import { line, micros, race } from "./race.ts";

const folder = mkdtempSync(path.join(tmpdir(), "anykv-bench-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const value = { name: "Ann", age: 41, tags: ["admin", "staff"] };
const pairs = (count: number, prefix: string): [string, typeof value][] =>
  Array.from({ length: count }, (_, i) => [`${prefix}${String(i).padStart(6, "0")}`, value]);

async function fill(store: Store, count: number, prefix: string): Promise<void> {
  const all = pairs(count, prefix);
  for (let i = 0; i < count; i += 5000) await store.setMany(all.slice(i, i + 5000));
}

/** Range reads against the database's own iterator. */
export async function level(): Promise<void> {
  const db = new Level<string, string>(path.join(folder, "level"));
  const store = kv(db);
  await fill(store, 50_000, "other:");
  await fill(store, 100, "wanted:");
  const raw = async (range: object): Promise<void> => {
    for await (const [, text] of db.iterator(range)) JSON.parse(text);
  };
  const prefix = await race(
    {
      anykv: { round: () => store.prefix("wanted:").entries() },
      raw: { round: () => raw({ gte: "wanted:", lt: "wanted;" }) },
    },
    25,
  );
  line(
    "level: a prefix of 100 in 50,000",
    prefix.anykv / prefix.raw,
    "at most 1.5",
    prefix.anykv <= 1.5 * prefix.raw,
    `${prefix.anykv.toFixed(2)} ms, raw ${prefix.raw.toFixed(2)} ms`,
  );
  const all = await race(
    {
      anykv: {
        round: async () => {
          let count = 0;
          for await (const pair of store) count += pair.length;
          return count;
        },
      },
      raw: { round: () => raw({}) },
    },
    7,
  );
  line(
    "level: iterate 50,000",
    all.anykv / all.raw,
    "at most 1.5",
    all.anykv <= 1.5 * all.raw,
    `${all.anykv.toFixed(0)} ms, raw ${all.raw.toFixed(0)} ms`,
  );
  await store.close();
}

interface Statement {
  run(...args: unknown[]): unknown;
  get(...args: unknown[]): unknown;
}

/** Single reads and writes against the same statements by hand. */
export async function sqlite(): Promise<void> {
  const drivers = {
    "better-sqlite3": () => new Database(":memory:"),
    "node:sqlite": () => new DatabaseSync(":memory:"),
  };
  for (const [name, open] of Object.entries(drivers)) {
    const db = open() as { exec(sql: string): unknown; prepare(sql: string): Statement };
    const store = kv(db as never);
    await store.set("first", 1);
    db.exec("CREATE TABLE raw (key TEXT PRIMARY KEY, value TEXT, expires INTEGER)");
    const put = db.prepare("INSERT OR REPLACE INTO raw (key, value, expires) VALUES (?, ?, ?)");
    const pick = db.prepare("SELECT value, expires FROM raw WHERE key = ?");
    const count = 5000;
    const all = pairs(count, "k");
    const written = await race({
      anykv: {
        round: async () => {
          for (const [key] of all) await store.set(key, value);
        },
      },
      raw: {
        round: async () => {
          for (const [key] of all) await put.run(key, JSON.stringify(value), null);
        },
      },
    });
    line(
      `sqlite (${name}): set`,
      written.anykv / written.raw,
      "at most 1.5",
      written.anykv <= 1.5 * written.raw,
      `${micros(written.anykv, count)}, raw ${micros(written.raw, count)}`,
    );
    const read = await race({
      anykv: {
        round: async () => {
          for (const [key] of all) await store.get(key);
        },
      },
      raw: {
        round: async () => {
          for (const [key] of all) await JSON.parse((pick.get(key) as { value: string }).value);
        },
      },
    });
    line(
      `sqlite (${name}): get`,
      read.anykv / read.raw,
      "at most 1.5",
      read.anykv <= 1.5 * read.raw,
      `${micros(read.anykv, count)}, raw ${micros(read.raw, count)}`,
    );
    await store.close();
  }
}

/** Reads and writes of a JSON file of 1,000 keys. */
export async function file(): Promise<void> {
  const all = pairs(1000, "k");
  const ours = kv(pathToFileURL(path.join(folder, "ours.json")));
  const theirs = polystore(new URL(`file://${folder}/theirs.json`));
  await ours.setMany(all);
  for (const [key] of all) await theirs.set(key, value);
  const reads = await race(
    {
      anykv: {
        round: async () => {
          for (const [key] of all) await ours.get(key);
        },
      },
      polystore: {
        round: async () => {
          for (const [key] of all) await theirs.get(key);
        },
      },
    },
    3,
  );
  line(
    "file: 1,000 reads of 1,000 keys, polystore takes",
    reads.polystore / reads.anykv,
    "at least 20",
    reads.polystore >= 20 * reads.anykv,
    `${reads.anykv.toFixed(1)} ms, polystore ${reads.polystore.toFixed(0)} ms`,
  );
  const writes = await race(
    {
      anykv: { round: () => Promise.all(all.map(([key]) => ours.set(key, value))) },
      polystore: { round: () => Promise.all(all.map(([key]) => theirs.set(key, value))) },
    },
    3,
  );
  line(
    "file: 1,000 writes awaited together, polystore takes",
    writes.polystore / writes.anykv,
    "at least 50",
    writes.polystore >= 50 * writes.anykv,
    `${writes.anykv.toFixed(1)} ms, polystore ${writes.polystore.toFixed(0)} ms`,
  );
  await ours.close();
}

/** How far the memory rises while 200,000 records pass by. */
export async function flat(): Promise<void> {
  const stores = {
    level: () => kv(new Level(path.join(folder, "flat"))),
    sqlite: () => kv(new DatabaseSync(path.join(folder, "flat.db"))),
  };
  for (const [name, open] of Object.entries(stores)) {
    const store = open();
    await fill(store, 200_000, "k");
    gc!();
    const start = process.memoryUsage();
    const used = (): number => {
      const { heapUsed, external } = process.memoryUsage();
      return heapUsed + external;
    };
    const base = start.heapUsed + start.external;
    let count = 0;
    let peak = 0;
    for await (const pair of store) {
      count += pair.length / 2;
      if (count % 20_000 === 0) {
        gc!();
        peak = Math.max(peak, used() - base);
      }
    }
    const megabytes = peak / 1e6;
    line(
      `${name}: MB held while iterating ${count.toLocaleString("en")}`,
      megabytes,
      "below 40",
      megabytes < 40,
      `resident: ${((process.memoryUsage().rss - start.rss) / 1e6).toFixed(0)} MB more than before`,
    );
    await store.close();
  }
}
