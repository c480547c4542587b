/** A worker of the bank beside the tests: `node bank-process.ts <client> <folder or URL> <worker> <times>`. It prints how many transfers it has made after each. */
import { writeSync } from "node:fs";
import { isKvError } from "../../src/errors.ts";
import kv from "../../src/index.ts";
import { atomic } from "../../src/atomic/index.ts";
import { DISK_CLIENTS, type DiskClient, openClient } from "./open-client.ts";
import { openServer } from "./open-server.ts";

const [name = "", place = "", worker = "", times = ""] = process.argv.slice(2);
const client = (DISK_CLIENTS as readonly string[]).includes(name) ? await openClient(name as DiskClient, place) : await openServer(name, place);
const store = kv(client, { timeout: "2s" });
const mine = `made by ${worker}`;
const pick = (): string => `account ${Math.floor(Math.random() * 10)}`;

for (let made = 0; made < Number(times); ) {
  try {
    const [from, to] = [pick(), pick()];
    if (from === to) continue;
    const [a, b, ledger] = await Promise.all([store.entry<number>(from), store.entry<number>(to), store.entry<number>(mine)]);
    // An outage may have hidden the answer to a transfer that was made.
    if ((ledger?.value ?? 0) !== made) made = ledger!.value;
    else {
      const amount = Math.min(a!.value, Math.ceil(Math.random() * 20));
      const transaction = atomic(store).check(a!, b!, { key: mine, version: ledger?.version ?? null });
      const { ok } = await transaction.set(from, a!.value - amount).set(to, b!.value + amount).set(mine, made + 1).commit();
      if (ok) made++;
    }
    writeSync(1, `${made}\n`);
  } catch (error) {
    if (!isKvError(error, "KV_CONNECTION")) throw error;
  }
}
await store.close();
