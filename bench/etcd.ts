import { Etcd3 } from "etcd3";
import kv from "anykv";
import { etcdServer } from "../test/support/etcd-server.ts";
import { line, race } from "./race.ts";

const value = { name: "Ann", age: 41, tags: ["admin", "staff"] };

/** A listing against the raw client's own. */
export async function etcd(): Promise<void> {
  const server = await etcdServer();
  const client = new Etcd3({ hosts: server.url });
  const store = kv(new Etcd3({ hosts: server.url }));
  try {
    const names = Array.from({ length: 10_000 }, (_, i) => `key:${String(i).padStart(6, "0")}`);
    await store.setMany(names.map((name) => [name, value]));
    const listed = await race(
      {
        anykv: { round: () => store.prefix("key:").entries() },
        raw: { round: () => client.getAll().prefix("key:").json() },
      },
      25,
    );
    line(
      "etcd: list 10,000 entries",
      listed.anykv / listed.raw,
      "at most 1.5",
      listed.anykv <= 1.5 * listed.raw,
      `${listed.anykv.toFixed(1)} ms, one raw range ${listed.raw.toFixed(1)} ms`,
    );
  } finally {
    client.close();
    await store.close();
    await server.remove();
  }
}
