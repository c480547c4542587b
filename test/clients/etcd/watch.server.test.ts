import { Etcd3 } from "etcd3";
import { afterAll, beforeAll, describe } from "vitest";
import { watchesThroughAPause } from "../../suites/watch-outages.ts";
import { watchesOtherProcesses } from "../../suites/watching.ts";
import { etcdServer } from "../../support/etcd-server.ts";

const server = await etcdServer();
beforeAll(() => server.start());
afterAll(() => server.remove());

describe("watching over etcd3", () => {
  const open = (): Etcd3 => new Etcd3({ hosts: server.url });
  watchesOtherProcesses({ name: "ETCD", where: () => server.url, open });
  watchesThroughAPause(server, open);
});
