// One process of bench/counters.ts: counts on one key, beside others. Prints "ready", waits for its
// input, and prints how many it has counted.
import { once } from "node:events";
import { DatabaseSync } from "node:sqlite";
import process from "node:process";
import pg from "pg";
import { createClient } from "redis";
import kv, { type Store } from "anykv";
import { hit, increment } from "anykv/atomic";

const [client = "", place = "", way = "", times = ""] = process.argv.slice(2);

/** What counts once. */
type Count = () => unknown;

const over = (store: Store): { [way: string]: Count } => ({
  hit: () => hit(store, "counter", "1h", 1, { max: 1e9 }),
  increment: () => increment(store, "counter"),
});

const UPSERT = `INSERT INTO plain (key, n) VALUES ('counter', 1)
  ON CONFLICT (key) DO UPDATE SET n = plain.n + 1`;

/** The ways to count on a client, by name. */
async function ways(): Promise<{ [way: string]: Count }> {
  if (client === "redis") {
    const connection = await createClient({ url: place }).connect();
    return { raw: () => connection.incr("plain"), ...over(kv(connection)) };
  }
  if (client === "postgres") {
    const pool = new pg.Pool({ connectionString: place, max: 1 });
    return { raw: () => pool.query(UPSERT), ...over(kv(pool)) };
  }
  const db = new DatabaseSync(place);
  db.exec("PRAGMA journal_mode = WAL; PRAGMA busy_timeout = 60000");
  const statement = db.prepare(UPSERT);
  return { raw: () => statement.run(), ...over(kv(db as never, { timeout: "2m" })) };
}

const count = (await ways())[way]!;
await count();
process.stdout.write("ready\n");
await once(process.stdin, "data");
for (let i = 0; i < Number(times); i++) await count();
process.stdout.write("done\n");
process.exit(0);
