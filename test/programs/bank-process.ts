/**
 * A worker of the bank beside the tests: `node bank-process.ts <client> <folder or URL> <worker>`.
 * It prints how many transfers it has made after each, and makes them until its input ends.
 */
import { writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { isKvError } from "../../src/errors.ts";
import kv, { type Client } from "../../src/index.ts";
import { atomic } from "../../src/atomic/index.ts";
import { DISK_CLIENTS, type DiskClient, openClient } from "../support/open-client.ts";
import { openServer } from "../support/open-server.ts";

const [name = "", place = "", worker = ""] = process.argv.slice(2);
const isOnDisk = (DISK_CLIENTS as readonly string[]).includes(name);
const opened = isOnDisk
  ? openClient(name as DiskClient, place)
  : name === "DENO"
    ? import("@deno/kv").then(({ openKv }) => openKv(place))
    : openServer(name, place);
const client = await opened;
const store = kv(client as Client, { timeout: "2s" });
const mine = `made by ${worker}`;
const pick = (): string => `account ${Math.floor(Math.random() * 10)}`;

const over = new AbortController();
// Whether it is known what became of the last transfer.
let isSettled = true;
process.stdin.resume().once("end", () => over.abort());

// Clients that answer at once leave no turn to the input.
for (let made = 0; !over.signal.aborted || !isSettled; await new Promise(setImmediate)) {
  try {
    const [from, to] = [pick(), pick()];
    if (from === to) continue;
    const [a, b, ledger] = await Promise.all([
      store.entry<number>(from),
      store.entry<number>(to),
      store.entry<number>(mine),
    ]);
    // An outage may have hidden the answer to a transfer that was made.
    if ((ledger?.value ?? 0) !== made) made = ledger!.value;
    else {
      const amount = Math.min(a!.value, Math.ceil(Math.random() * 20));
      const transaction = atomic(store).check(a!, b!, {
        key: mine,
        version: ledger?.version ?? null,
      });
      const { ok } = await transaction
        .set(from, a!.value - amount)
        .set(to, b!.value + amount)
        .set(mine, made + 1)
        .commit();
      if (ok) made++;
    }
    writeSync(1, `${made}\n`);
    isSettled = true;
  } catch (error) {
    isSettled = false;
    if (!isKvError(error, "KV_CONNECTION")) throw error;
    // An outage leaves the processor to the others.
    await sleep(10);
  }
}
await store.close();
