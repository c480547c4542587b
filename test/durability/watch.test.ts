import { afterAll, describe } from "vitest";
import { watchesOtherProcesses } from "../suites/watching.ts";
import { temporaryFolder } from "../support/folders.ts";
import { type DiskClient, openClient } from "../support/open-client.ts";

// A Level database has one process.
describe.each<DiskClient>(["FILE", "FOLDER", "SQLITE"])("watching over %s", (name) => {
  const folder = temporaryFolder();
  afterAll(() => folder.remove());
  watchesOtherProcesses({
    name,
    where: () => folder.path,
    open: () => openClient(name, folder.path),
  });
});
