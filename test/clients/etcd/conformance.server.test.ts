import { Etcd3 } from "etcd3";
import { afterAll, beforeAll, describe, it } from "vitest";
import { conformance } from "../../../src/conformance/index.ts";
import kv, { type Store } from "../../../src/index.ts";
import { briefly, certify } from "../../suites/certify.ts";
import { type EtcdServer, etcdServer } from "../../support/etcd-server.ts";
import { PATIENT } from "../../support/patient.ts";

let server: EtcdServer;
beforeAll(async () => {
  server = await etcdServer();
});
afterAll(() => server.remove());

/** A client of an empty server. */
async function client(): Promise<Etcd3> {
  const etcd = new Etcd3({ hosts: server.url });
  await etcd.delete().all();
  return etcd;
}

certify("ETCD", {
  open: async () => kv(await client(), PATIENT),
  reopen: () => kv(new Etcd3({ hosts: server.url }), PATIENT),
  runs: 15,
});

describe("ETCD by a namespace, in real time, conforms", () => {
  const root = (): Etcd3 => new Etcd3({ hosts: server.url });
  const open = (): Store => kv(root().namespace(Buffer.from([0, 0xff, 0x2f])), PATIENT);
  const tests = conformance({
    clock: "real",
    open: async () => (await root().delete().all(), open()),
    reopen: open,
    runs: 5,
  });
  for (const { name, run } of briefly(tests)) it(name, run);
});
