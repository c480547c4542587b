// Writes to a client, and notes in the file "acknowledged" what was acknowledged:
//   node power-loss-program.ts FILE|FOLDER|SQLITE <folder>
import { openSync, writeSync } from "node:fs";
import process from "node:process";
import { openForPowerLoss } from "./power-loss-client.ts";

const [kind, folder] = process.argv.slice(2) as [string, string];
const notes = openSync(`${folder}/acknowledged`, "w");
const store = openForPowerLoss(kind, folder);

for (let n = 1; n <= 30; n++) {
  const key = `key ${n % 5}`;
  if (n % 7 === 0) await store.del(key);
  else if (n % 3 === 0) {
    await store.commit(
      [],
      [
        { key: "left", value: n },
        { key: "right", value: n },
      ],
    );
  } else await store.set(key, n);
  writeSync(notes, `${n}\n`);
}
await store.close();
