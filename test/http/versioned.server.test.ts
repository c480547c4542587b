import { DatabaseSync } from "node:sqlite";
import { afterAll, expect, it } from "vitest";
import { type KvServer, serve } from "../../src/http/index.ts";
import kv from "../../src/index.ts";
import { connect, type VersionedStore } from "../../src/versioned/index.ts";
import { versionedSuite } from "../suites/versioned-suite.ts";

let count = 0;
const tokens = Array.from({ length: 300 }, (_, i) => ({
  token: `0123456789abcdef-${i}`,
  space: `space ${i}`,
}));
const stores = [kv(new Map()), kv(new DatabaseSync(":memory:"))] as const;
const limits = { valueBytes: Infinity, bodyBytes: 20_000_000 };
const servers: KvServer[] = await Promise.all(
  stores.map((store) => serve(store, { tokens, limits, interval: "20ms" })),
);
afterAll(async () => {
  await Promise.all(servers.map((server) => server.close()));
  await Promise.all(stores.map((store) => store.close()));
});

for (const [i, name] of ["memory", "SQLite"].entries()) {
  const another = (): VersionedStore =>
    connect({ url: servers[i]!.url, accessToken: tokens[count]!.token, valueBytes: Infinity });
  // Each test has a space of its own.
  versionedSuite(`HTTP over ${name}`, () => (count++, another()), { another, keyBytes: 2048 });
}

it("runs the examples of the service that the interface comes from", async () => {
  interface User {
    name: string;
    email: string;
    id?: string;
  }
  const server = await serve(kv(new Map()), {
    tokens: [{ token: "9b9634a1-1655-4baf-bdf5-c04feffc68bd", space: "users" }],
  });
  const kv_ = connect({
    url: server.url,
    accessToken: "9b9634a1-1655-4baf-bdf5-c04feffc68bd",
    region: "eu-central-1",
  });
  const key = ["users", "1"];
  const value: User = { name: "GhostZero", email: "example@example.com" };
  await kv_.set(key, value);
  const entry = await kv_.get<User>(key);
  expect(entry).toEqual({ key, value, version: expect.stringMatching(/^[0-9a-f]{20}$/) });
  expect(await kv_.delete(key)).toBe(true);
  expect(await kv_.delete(key)).toBe(false);
  const create = async (): Promise<boolean> =>
    (await kv_.atomic().check({ key, version: null }).set(key, value).commit()).ok;
  expect([await create(), await create()]).toEqual([true, false]);

  async function saveUser(user: User & { id: string }): Promise<unknown> {
    const key = ["users", user.id];
    const r = await kv_.set(key, user);
    await kv_.set(["users_by_email", user.email], key);
    return r;
  }
  async function getByEmail(email: string): Promise<unknown> {
    const r1 = await kv_.get<string[]>(["users_by_email", email]);
    return kv_.get<User>(r1.value!);
  }
  await saveUser({ id: "2", name: "Ann", email: "ann@example.com" });
  expect(await getByEmail("ann@example.com")).toMatchObject({
    key: ["users", "2"],
    value: { name: "Ann" },
  });
  // Where its keys would be joined into one, ours are not.
  await kv_.set(["a/b"], 1);
  expect((await kv_.get(["a", "b"])).version).toBe(null);
  await kv_.close();
  await server.close();
});
