import kv from "../../src/index.ts";
import { certify } from "../helpers/certify.ts";
import { temporaryFolder } from "../helpers/folders.ts";

let folder = temporaryFolder();

certify("FOLDER", {
  open: () => {
    folder.remove();
    folder = temporaryFolder();
    return kv(folder.url);
  },
  reopen: () => kv(folder.url),
  cleanup: () => folder.remove(),
  runs: 15,
});
