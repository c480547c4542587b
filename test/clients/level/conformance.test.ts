import { Level } from "level";
import { MemoryLevel } from "memory-level";
import kv from "../../../src/index.ts";
import { certify } from "../../suites/certify.ts";
import { temporaryFolder } from "../../support/folders.ts";
import { PATIENT } from "../../support/patient.ts";

let folder = temporaryFolder();
const open = (): Level<string, unknown> =>
  new Level(`${folder.path}/db`, { valueEncoding: "json" });
let db: Level<string, unknown>;

certify("LEVEL", {
  open: () => {
    folder.remove();
    folder = temporaryFolder();
    return kv((db = open()), PATIENT);
  },
  reopen: () => kv(open(), PATIENT),
  cleanup: () => folder.remove(),
  foreign: {
    put: (_store, key) => db.put(key, { anything: 1 }),
    has: async (_store, key) => (await db.get(key)) !== undefined,
  },
  runs: 40,
});

certify("LEVEL in memory", {
  open: () => kv(new MemoryLevel({ keyEncoding: "buffer", valueEncoding: "buffer" })),
});
certify("LEVEL as a sublevel", {
  open: () => kv(new MemoryLevel().sublevel("!odd~name!", { valueEncoding: "json" })),
  runs: 20,
});
