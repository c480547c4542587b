import pg from "pg";
import { afterAll, beforeAll, describe, it } from "vitest";
import { postgres } from "../../../src/clients/postgres/index.ts";
import { conformance } from "../../../src/conformance/index.ts";
import kv from "../../../src/index.ts";
import { briefly, certify } from "../../suites/certify.ts";
import { type PostgresServer, postgresServer } from "../../support/postgres-server.ts";
import { PATIENT } from "../../support/patient.ts";

let server: PostgresServer;
let admin: InstanceType<typeof pg.Pool>;
beforeAll(async () => {
  server = await postgresServer();
  admin = new pg.Pool({ connectionString: server.url, max: 1 });
});
afterAll(async () => {
  await admin.end();
  await server.remove();
});

const pool = (): InstanceType<typeof pg.Pool> =>
  new pg.Pool({ connectionString: server.url, max: 4 });
const empty = async (table: string): Promise<void> =>
  void (await admin.query(`DROP TABLE IF EXISTS ${table}`));

certify("POSTGRES by a Pool", {
  async open() {
    await empty("kv");
    return kv(pool(), PATIENT);
  },
  reopen: () => kv(pool(), PATIENT),
  foreign: {
    put: (_store, key) =>
      admin.query(
        "INSERT INTO kv (key, value, version) VALUES ($1, 'x', 'theirs') ON CONFLICT " +
          "(key) DO UPDATE SET version = 'theirs'",
        [key],
      ),
    has: async (_store, key) =>
      (await admin.query("SELECT 1 FROM kv WHERE key = $1", [key])).rows.length > 0,
  },
  runs: 15,
});

describe("POSTGRES by a Client, in real time, conforms", () => {
  const open = () =>
    kv(postgres(new pg.Client({ connectionString: server.url }), { table: "records" }), PATIENT);
  const tests = conformance({
    clock: "real",
    open: async () => (await empty("records"), open()),
    reopen: open,
    runs: 5,
  });
  for (const { name, run } of briefly(tests)) it(name, run);
});
