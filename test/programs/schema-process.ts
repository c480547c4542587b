/**
 * A process beside the tests of typed stores.
 * `node schema-process.ts <client> <folder or URL> <times>` changes the fields of one app so many
 * times, and prints its number.
 */
import { execFile } from "node:child_process";
import process from "node:process";
import { promisify } from "node:util";
import type { Store } from "../../src/api.ts";
import kv from "../../src/index.ts";
import { DISK_CLIENTS, type DiskClient, openClient } from "../support/open-client.ts";
import { openServer } from "../support/open-server.ts";
import { appOn } from "../suites/schema/app.ts";
import { PATIENT } from "../support/patient.ts";

/** Changes what several processes change. */
async function change(store: Store, times: number): Promise<void> {
  const app = appOn(store);
  for (let i = 0; i < times; i++) {
    const name = `${process.pid} ${i}`;
    await app.take("set").add(name);
    await app.take("number").increment();
    await app.take("list").push(name);
    await app.take("small").increment(0);
    await app.take("json").update(({ visits }) => ({ visits: visits + 1 }));
  }
}

const BEFORE = 170;

/**
 * The result of the changes of two processes: how many members and items they have added, the
 * numbers, and the visits.
 */
export async function changedByTwo(
  client: string,
  place: string,
  times: number,
  store: Store,
): Promise<unknown[]> {
  const app = appOn(store);
  await app.take("json").write({ name: "Ann" });
  // More than one record holds: both processes change its parts, and add new ones.
  const before = Array.from({ length: BEFORE }, (_, i) => `member ${i}`);
  await Promise.all([app.take("set").write(before), app.take("list").write(before)]);
  const run = promisify(execFile);
  await Promise.all(
    [1, 2].map(() =>
      run(process.execPath, [
        "--disable-warning=ExperimentalWarning",
        import.meta.filename,
        client,
        place,
        String(times),
      ]),
    ),
  );
  return [
    (await app.take("set").read())!.size - BEFORE,
    await app.take("number").read(),
    (await app.take("list").size()) - BEFORE,
    await app.take("small").read(0),
    (await app.take("json").read())?.visits,
  ];
}

const [client = "", place = "", times = "0"] = process.argv.slice(2);
if (process.argv[1] === import.meta.filename) {
  const store = kv(
    (await ((DISK_CLIENTS as readonly string[]).includes(client)
      ? openClient(client as DiskClient, place)
      : openServer(client, place))) as never,
    PATIENT,
  );
  await change(store, Number(times));
  await store.close();
}
