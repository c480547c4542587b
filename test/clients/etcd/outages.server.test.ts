import { Etcd3 } from "etcd3";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import kv from "../../../src/index.ts";
import { until } from "../../support/daemon.ts";
import { type EtcdServer, etcdServer } from "../../support/etcd-server.ts";
import { isFull } from "../../support/runs.ts";
import { incrementInTwoProcesses, outages, under200Writers } from "../../support/outages.ts";

/** How often each of two processes raises a number. */
const TIMES = isFull ? 500 : 150;
const SECRET = "not-the-passw0rd";

const [single, cluster, locked] = await Promise.all([etcdServer(), etcdServer(3), etcdServer()]);
const clientOf = (server: EtcdServer, options: object = {}): Etcd3 =>
  new Etcd3({ hosts: [...server.urls], ...options });

beforeAll(async () => {
  const admin = clientOf(locked);
  const root = await admin.user("root").create("the-passw0rd");
  await admin.role("root").create();
  await root.addRole("root");
  await admin.auth.authEnable();
  admin.close();
});
afterAll(() => Promise.all([single, cluster, locked].map((server) => server.remove())));

outages({
  name: "ETCD",
  url: single.url,
  start: () => single.start(),
  kill: () => single.kill(),
  wipe: () => single.wipe(),
  pause: () => single.pause(),
  resume: () => single.resume(),
  open: (options) => kv(clientOf(single), options),
  wrong: {
    open: (options) =>
      kv(clientOf(locked, { auth: { username: "root", password: SECRET } }), options),
    secret: SECRET,
  },
  isDurable: true,
});

describe("ETCD", () => {
  it("is used with the right password", async () => {
    const store = kv(clientOf(locked, { auth: { username: "root", password: "the-passw0rd" } }));
    await store.set("a", 1, { expires: "1h" });
    expect(await store.entries()).toEqual([["a", 1]]);
    await store.close();
  });

  it("counts in two processes", async () => {
    const store = kv(clientOf(single));
    await incrementInTwoProcesses("ETCD", single.url, store);
    await store.close();
  });
});

describe("ETCD on three nodes", () => {
  // A test that fails may leave a node down.
  beforeEach(() => cluster.start());

  it("loses no acknowledged write with its leader, and goes on with another", async () => {
    const store = kv(clientOf(cluster), { timeout: "2s" });
    const old = await cluster.leader();
    const isOther = async (): Promise<boolean> =>
      cluster.leader().then(
        (leader) => leader !== old,
        () => false,
      );
    const { lost } = await under200Writers(
      "ETCD on three nodes",
      store,
      () => old.kill(),
      () => until("another node leads", isOther),
    );
    expect(lost).toBe(0);
    await old.start();
    await store.close();
  });

  it(`counts to ${2 * TIMES} in two processes while its leader is killed twice`, async () => {
    const store = kv(clientOf(cluster), { timeout: "2s" });
    await incrementInTwoProcesses("ETCD", cluster.url, store, TIMES, async (sum) => {
      for (const after of [TIMES / 5, (TIMES * 4) / 5]) {
        await until(`the sum is ${after}`, async () => (await sum()) >= after);
        const leader = await cluster.leader();
        await leader.kill();
        await until("the sum rises again", async () => (await sum()) > after + TIMES / 5);
        await leader.start();
      }
    });
    await store.close();
  });
});
