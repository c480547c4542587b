import pg from "pg";
import kv from "anykv";
import { postgresServer } from "../test/support/postgres-server.ts";
import { line, race } from "./race.ts";

const value = { name: "Ann", age: 41, tags: ["admin", "staff"] };

/** A listing against the same statement by hand. */
export async function postgres(): Promise<void> {
  const server = await postgresServer();
  const pool = new pg.Pool({ connectionString: server.url });
  const store = kv(new pg.Pool({ connectionString: server.url }));
  try {
    const names = Array.from({ length: 10_000 }, (_, i) => `key:${String(i).padStart(6, "0")}`);
    for (let i = 0; i < names.length; i += 1000)
      await store.setMany(names.slice(i, i + 1000).map((name) => [name, value]));
    await pool.query("ANALYZE kv");
    const listed = await race(
      {
        anykv: { round: () => store.prefix("key:").entries() },
        raw: {
          round: async () => {
            const { rows } = (await pool.query(
              "SELECT * FROM kv WHERE key >= $1 AND key < $2 ORDER BY key",
              ["key:", "key;"],
            )) as { rows: { key: string; value: string }[] };
            return rows.map((row) => [row.key, JSON.parse(row.value)]);
          },
        },
      },
      25,
    );
    line(
      "postgres: list 10,000 entries",
      listed.anykv / listed.raw,
      "at most 1.5",
      listed.anykv <= 1.5 * listed.raw,
      `${listed.anykv.toFixed(1)} ms, one raw range ${listed.raw.toFixed(1)} ms`,
    );
  } finally {
    await pool.end();
    await store.close();
    await server.remove();
  }
}
