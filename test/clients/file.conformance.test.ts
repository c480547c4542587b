import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import kv from "../../src/index.ts";
import { certify } from "../helpers/certify.ts";
import { temporaryFolder } from "../helpers/folders.ts";

let folder = temporaryFolder();
const file = (): string => path.join(folder.path, "data.json");
const parsed = (): Record<string, unknown> => (existsSync(file()) ? (JSON.parse(readFileSync(file(), "utf8")) as Record<string, unknown>) : {});

certify("FILE", {
  open: () => {
    folder.remove();
    folder = temporaryFolder();
    return kv(`file://${file()}`);
  },
  reopen: () => kv(`file://${file()}`),
  cleanup: () => folder.remove(),
  foreign: {
    put: (_store, key) => writeFileSync(file(), JSON.stringify({ ...parsed(), [key]: { theme: "dark" } })),
    has: (_store, key) => Object.hasOwn(parsed(), key),
  },
  runs: 25,
});
