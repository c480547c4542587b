import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import kv, { type Store } from "../../src/index.ts";

/** A store of the kind in a folder. */
export function openForPowerLoss(kind: string, folder: string): Store<number> {
  if (kind === "SQLITE") return kv<number>(new DatabaseSync(`${folder}/data.db`));
  return kv<number>(pathToFileURL(`${folder}/${kind === "FILE" ? "data.json" : "data/"}`));
}
