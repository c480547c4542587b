import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import kv from "anykv";
import { namespace } from "anykv/namespace";
import { line, micros, race } from "./race.ts";

const KEYS = 5000;
const ROUND = 2000;
const name = (i: number): string => `key:${String(i % KEYS).padStart(6, "0")}`;

/** A namespace on SQLite, beside the statements that it cannot do without. */
export async function namespaces(): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), "anykv-bench-"));
  const db = new DatabaseSync(path.join(folder, "kv.db"));
  db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF");
  const own = namespace(kv(db), "bench");
  const text = "x".repeat(10_000);
  for (let i = 0; i < KEYS; i++) await own.put(name(i), text, { metadata: { i } });

  const one = db.prepare("SELECT version, expires, metadata, value FROM kv WHERE key = ?");
  const write = db.prepare(
    "INSERT OR REPLACE INTO kv (key, version, expires, metadata, value) VALUES (?, " +
      "'0d0fd51349f003f6dc81', NULL, NULL, ?)",
  );
  const rows = db.prepare(
    "SELECT key, value FROM kv WHERE key >= 'bench/k/' AND key < 'bench/k0' " +
      "ORDER BY key LIMIT 1001",
  );
  const get = await race({
    anykv: {
      round: async () => {
        for (let i = 0; i < ROUND; i++) await own.get(name(i));
      },
    },
    raw: {
      round: () => {
        for (let i = 0; i < ROUND; i++)
          JSON.parse((one.get(`bench/v/${name(i)}`) as { value: string }).value);
      },
    },
  });
  line(
    "namespace: get 10 kB",
    get.anykv / get.raw,
    "at most 2",
    get.anykv <= 2 * get.raw,
    micros(get.anykv, ROUND),
  );
  const put = await race({
    anykv: {
      round: async () => {
        for (let i = 0; i < ROUND; i++) await own.put(name(i), text, { metadata: { i } });
      },
    },
    raw: {
      round: () => {
        for (let i = 0; i < ROUND; i++) {
          db.exec("BEGIN IMMEDIATE");
          write.run(`bench/k/${name(i)}`, JSON.stringify({ metadata: { i } }));
          write.run(`bench/v/${name(i)}`, JSON.stringify({ metadata: { i }, text }));
          db.exec("COMMIT");
        }
      },
    },
  });
  line(
    "namespace: put 10 kB",
    put.anykv / put.raw,
    "at most 2",
    put.anykv <= 2 * put.raw,
    micros(put.anykv, ROUND),
  );
  const list = await race(
    {
      anykv: { round: () => own.list() },
      raw: { round: () => rows.all().map((row) => JSON.parse((row as { value: string }).value)) },
    },
    25,
  );
  line(
    "namespace: list 1,000 of 5,000",
    list.anykv / list.raw,
    "at most 5",
    list.anykv <= 5 * list.raw,
    `${list.anykv.toFixed(2)} ms, raw ${list.raw.toFixed(2)} ms`,
  );

  const large = new Uint8Array(25 * 1024 * 1024).fill(200);
  const blob = await race(
    {
      anykv: {
        round: async () => {
          await own.put("large", large);
          await own.get("large", "arrayBuffer");
        },
      },
      raw: {
        round: () => {
          write.run("large", large);
          one.get("large");
        },
      },
    },
    5,
  );
  line(
    "namespace: 25 MiB of bytes, there and back",
    blob.anykv / blob.raw,
    "at most 2",
    blob.anykv <= 2 * blob.raw,
    `${blob.anykv.toFixed(0)} ms, raw ${blob.raw.toFixed(0)} ms`,
  );
  await own.close();
  rmSync(folder, { recursive: true, force: true });
}
