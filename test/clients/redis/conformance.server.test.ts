import { createClient } from "redis";
import { afterAll, beforeAll, describe, it } from "vitest";
import { conformance, type Subject } from "../../../src/conformance/index.ts";
import kv, { type Store } from "../../../src/index.ts";
import { briefly, certify } from "../../suites/certify.ts";
import { CLIENTS, newest } from "../../support/redis-clients.ts";
import { runs } from "../../support/runs.ts";
import { ask, redisServer } from "../../support/redis-server.ts";
import { PATIENT } from "../../support/patient.ts";

const server = await redisServer();
beforeAll(() => server.start());
afterAll(() => server.remove());

/**
 * The clock of the test runs an hour ahead of that of the server, so that what is seen is the
 * record's deadline, not the server's.
 */
function ahead(): void {
  const now = Date.now;
  Date.now = () => now() + 3_600_000;
}

const subject = (open: () => Store): Subject => ({
  async open() {
    await ask(server.port, (client) => client.flushall());
    return open();
  },
  reopen: open,
});

const { open, reopen } = subject(() => kv(createClient({ url: server.url }), PATIENT));

certify("REDIS by node-redis", {
  async open() {
    ahead();
    return open();
  },
  reopen: reopen!,
});

describe("REDIS by node-redis conforms while time passes", () => {
  for (const test of briefly(conformance({ open, reopen: reopen!, clock: "real", runs: 5 })))
    it(test.name, test.run);
});

describe.each(newest(CLIENTS).filter(([name]) => name !== "node-redis 6"))(
  "REDIS by %s conforms",
  (name, make) => {
    const { open } = subject(() => kv(make(server.url), PATIENT));
    const reduced: Subject = {
      async open() {
        ahead();
        return open();
      },
      runs: runs(10),
    };
    const tests = conformance(reduced);
    for (const test of name.startsWith("a pool") ? briefly(tests) : tests) it(test.name, test.run);
  },
);
