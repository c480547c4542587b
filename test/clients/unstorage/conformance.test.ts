import { createStorage, prefixStorage, type Storage } from "unstorage";
import fsDriver from "unstorage/drivers/fs";
import { unstorage } from "../../../src/clients/unstorage/index.ts";
import kv from "../../../src/index.ts";
import { itemName } from "../../../src/clients/unstorage/key.ts";
import { certify } from "../../suites/certify.ts";
import { temporaryFolder } from "../../support/folders.ts";

let storage: Storage;
const foreignBelow = (base: string) => ({
  put: (_store: unknown, key: string) => storage.setItem(base + itemName(key), { theirs: 1 }),
  has: (_store: unknown, key: string) => storage.hasItem(base + itemName(key)),
});

certify("UNSTORAGE in memory", {
  open: () => kv((storage = createStorage())),
  foreign: foreignBelow(""),
});

let folder = temporaryFolder();
certify("UNSTORAGE by the fs driver, below a base", {
  open: () => {
    folder.remove();
    folder = temporaryFolder();
    storage = createStorage();
    storage.mount("files", fsDriver({ base: folder.path }));
    return kv(unstorage(storage, { base: "/files//app/" }));
  },
  cleanup: () => folder.remove(),
  foreign: foreignBelow("files:app:"),
  runs: 15,
});

certify("UNSTORAGE with a prefix of its own", {
  open: () => kv(prefixStorage((storage = createStorage()), "mine")),
  foreign: foreignBelow("mine:"),
});
