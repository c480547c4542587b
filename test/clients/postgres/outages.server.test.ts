import pg from "pg";
import { afterAll, describe, it } from "vitest";
import kv from "../../../src/index.ts";
import { incrementInTwoProcesses, outages } from "../../support/outages.ts";
import { PASSWORD, postgresServer } from "../../support/postgres-server.ts";

const server = await postgresServer();
afterAll(() => server.remove());

outages({
  name: "POSTGRES",
  url: server.url,
  start: () => server.start(),
  kill: () => server.kill(),
  wipe: () => server.wipe(),
  pause: () => server.pause(),
  resume: () => server.resume(),
  open: (options) => kv(new pg.Pool({ connectionString: server.url }), options),
  wrong: {
    open: (options) =>
      kv(new pg.Pool({ connectionString: server.withPassword(`not ${PASSWORD}`) }), options),
    secret: PASSWORD,
  },
  isDurable: true,
});

describe("POSTGRES", () => {
  it.each(["POSTGRES", "POSTGRES CLIENT"])("counts to 1000 in two processes: %s", async (name) => {
    const store = kv(new pg.Pool({ connectionString: server.url }));
    await incrementInTwoProcesses(name, server.url, store);
    await store.close();
  });
});
