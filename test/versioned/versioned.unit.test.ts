import kv from "../../src/index.ts";
import { versioned } from "../../src/versioned/index.ts";
import { indexSuite } from "../suites/versioned/indexes.ts";
import { versionedSuite } from "../suites/versioned-suite.ts";

let map = new Map();
versionedSuite("MEMORY", () => versioned(kv((map = new Map()))), {
  another: () => versioned(kv(map)),
});
indexSuite(
  "MEMORY",
  () => kv((map = new Map())),
  () => kv(map),
);
