import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import process from "node:process";
import pg from "pg";
import { postgresServer } from "../test/support/postgres-server.ts";
import { micros } from "./race.ts";
import { server } from "./redis.ts";

const PROCESSES = 8;
const TIMES = 500;
const TABLE = "CREATE TABLE plain (key text PRIMARY KEY, n integer)";
const script = path.join(import.meta.dirname, "counter-process.ts");

/** How many milliseconds the processes take together. */
async function timed(client: string, place: string, way: string): Promise<number> {
  const args = ["--disable-warning=ExperimentalWarning", script, client, place, way, `${TIMES}`];
  const children = Array.from({ length: PROCESSES }, () =>
    spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] }),
  );
  await Promise.all(children.map((child) => once(child.stdout, "data")));
  const done = children.map((child) => once(child, "exit") as Promise<[code: number]>);
  const start = performance.now();
  for (const child of children) child.stdin.write("go\n");
  const codes = await Promise.all(done);
  if (codes.some(([code]) => code !== 0)) throw new Error(`${client}: a process has failed`);
  return performance.now() - start;
}

/** Counts on one key from several processes, in each way. */
async function counted(client: string, place: string, plain: string): Promise<void> {
  const ways = ["raw", "hit", "increment"] as const;
  const times: { [way: string]: number } = {};
  for (const way of ways) times[way] = await timed(client, place, way);
  for (const way of ["hit", "increment"]) {
    const figures = ways
      .filter((each) => each === way || each === "raw")
      .map((each) => `${each === "raw" ? plain : each} ${micros(times[each]!, PROCESSES * TIMES)}`);
    const ratio = (times[way]! / times.raw!).toFixed(2);
    console.log(
      `      ${client}: ${way} of ${PROCESSES} processes: ${ratio} ×, ${figures.join(", ")}`,
    );
  }
}

/** Eight processes on one key, beside the client's own counter. */
export async function counters(): Promise<void> {
  const redis = await server();
  await counted("redis", redis.url, "INCR");
  redis.end();

  const folder = mkdtempSync(path.join(tmpdir(), "anykv-counters-"));
  const file = path.join(folder, "data.db");
  const db = new DatabaseSync(file);
  db.exec(TABLE);
  db.close();
  await counted("sqlite", file, "UPSERT");
  rmSync(folder, { recursive: true });

  const postgres = await postgresServer();
  const pool = new pg.Pool({ connectionString: postgres.url });
  await pool.query(TABLE);
  await pool.end();
  await counted("postgres", postgres.url, "UPSERT");
  await postgres.remove();
}
