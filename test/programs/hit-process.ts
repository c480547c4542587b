/**
 * Counts on one key beside other processes: `node hit-process.ts <client> <folder or URL> <times>`.
 * Prints the answers as JSON.
 */
import { hit, type Hit } from "../../src/atomic/index.ts";
import kv, { type Client } from "../../src/index.ts";
import { DISK_CLIENTS, type DiskClient, openClient } from "../support/open-client.ts";
import { openServer } from "../support/open-server.ts";
import { PATIENT } from "../support/patient.ts";

const [name = "", place = "", times = "1"] = process.argv.slice(2);
const isOnDisk = (DISK_CLIENTS as readonly string[]).includes(name);
const client = await (isOnDisk ? openClient(name as DiskClient, place) : openServer(name, place));
const store = kv(client as Client, PATIENT);
const hits: Hit[] = [];
for (let i = 0; i < Number(times); i++)
  hits.push(await hit(store, "processes", "10m", 1, { max: 25 }));
await store.close();
console.log(JSON.stringify(hits));
