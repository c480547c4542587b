import pg from "pg";
import { createClient } from "redis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import kv from "../../src/index.ts";
import {
  differing,
  INDEX_READS,
  NAMESPACE,
  SCHEMA,
  STATES,
  type Subject,
  VERSIONED,
} from "../suites/api-order.ts";
import { postgresServer } from "../support/postgres-server.ts";
import { redisServer } from "../support/redis-server.ts";

const redis = await redisServer();
let postgres: Awaited<ReturnType<typeof postgresServer>>;
let clients: { readonly [name: string]: unknown };
const closing: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  [postgres] = await Promise.all([postgresServer(), redis.start()]);
  const client = await createClient({ url: redis.url }).connect();
  const pool = new pg.Pool({ connectionString: postgres.url, max: 4 });
  clients = { Redis: client, Postgres: pool };
  closing.push(
    () => client.close(),
    () => pool.end(),
  );
});
afterAll(async () => {
  await Promise.all(closing.map((close) => close()));
  await Promise.all([redis.remove(), postgres.remove()]);
});

let spaces = 0;

describe.each(["Redis", "Postgres"])(
  "calls on %s that are not awaited take effect in call order",
  (name) => {
    // Each pair of calls has a part of the database of its own.
    const make = (): unknown => kv(clients[name] as never, { prefix: `${++spaces}:`, timeout: 0 });
    const check = <Api>(
      title: string,
      subject: Subject<Api>,
      firsts = Object.keys(subject.calls),
      seconds = firsts,
    ): void =>
      it(title, async () =>
        expect(await differing(title, subject, firsts, seconds, make, STATES[0]!)).toEqual([]),
      );
    check("versioned", VERSIONED);
    check(
      "versioned, by an index",
      { ...VERSIONED, calls: { ...VERSIONED.calls, ...INDEX_READS } },
      Object.keys(VERSIONED.calls),
      Object.keys(INDEX_READS),
    );
    check("namespaces", NAMESPACE);
    check("typed stores", SCHEMA);
  },
);
