import Keyv from "keyv";
import Keyv5 from "keyv5";
import kv from "../../../src/index.ts";
import { certify } from "../../suites/certify.ts";

let keyv: Keyv;

certify("KEYV 6", {
  open: () => kv((keyv = new Keyv({ namespace: "app::" }))),
  foreign: {
    put: (_store, key) => keyv.set(key, "theirs"),
    has: (_store, key) => keyv.has(key),
  },
});

let keyv5: Keyv5;

certify("KEYV 5", {
  open: () => kv((keyv5 = new Keyv5())),
  foreign: {
    put: (_store, key) => keyv5.set(`:${key}`, { value: "theirs" }),
    has: (_store, key) => keyv5.has(`:${key}`),
  },
});
