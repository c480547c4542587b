/**
 * A process beside the tests: `node sqlite-process.ts <driver> <path> <times>` raises "count" so
 * many times, each by a commit that checks the version it read.
 */
import kv from "../../src/index.ts";
import { DRIVERS } from "../support/sqlite-drivers.ts";
import { PATIENT } from "../support/patient.ts";

const [driver = "", path = "", times = ""] = process.argv.slice(2);
const db = DRIVERS[driver]!(path);
const store = kv(db, PATIENT);
// Processes are what this is about, not a disk that may take seconds. The other one may be in the
// way for a moment.
for (let isSet = false; !isSet;) {
  try {
    db.exec("PRAGMA synchronous = OFF");
    isSet = true;
  } catch (error) {
    if (!/locked/.test(String(error))) throw error;
  }
}
for (let done = 0; done < Number(times);) {
  const entry = await store.entry<number>("count");
  const { ok } = await store.commit(
    [{ key: "count", version: entry?.version ?? null }],
    [{ key: "count", value: (entry?.value ?? 0) + 1 }],
  );
  if (ok) done++;
}
await store.close();
