import { MemoryLevel } from "memory-level";
import kv from "../../src/index.ts";
import { place } from "../helpers/disk.ts";
import { jepsen, transfersInProcesses } from "../helpers/jepsen.ts";
import { openClient } from "../helpers/open-client.ts";

const map = new Map();
jepsen("MEMORY", { open: () => Array.from({ length: 5 }, () => kv(map)), times: 200 });
jepsen("LEVEL", {
  open: () => {
    const db = new MemoryLevel();
    return Array.from({ length: 5 }, () => kv(db));
  },
});
for (const client of ["FILE", "FOLDER", "SQLITE"] as const) {
  const folder = place();
  jepsen(client, {
    open: () => Promise.all(Array.from({ length: 3 }, async () => kv((await openClient(client, folder)) as never))),
    times: 30,
    processes: (store) => transfersInProcesses(client, folder, store),
  });
}
