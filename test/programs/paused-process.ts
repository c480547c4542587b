import kv, { type Client } from "../../src/index.ts";
import { openServer } from "../support/open-server.ts";

// Closes a store over a server that was stopped meanwhile, and must end by itself.
const [, , name, url, state] = process.argv as string[] as [string, string, string, string, string];
const store = kv((await openServer(name, url)) as Client, { timeout: "500ms" });
// Half a second may be too little at first.
if (state === "used")
  while (
    !(await store
      .setMany([
        ["a", 1],
        ["b", 2],
      ])
      .then(
        () => true,
        () => false,
      ))
  );
process.send!("ready");
await new Promise((resolve) => process.once("message", resolve));
process.disconnect();
const outcome = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => "done",
    (error: { code: string }) => error.code,
  );
const work = [
  store.get("a"),
  store.set("a", 2, { expires: "1h" }),
  store.keys(),
  store.commit(
    [
      { key: "q", version: null },
      { key: "z", version: null },
    ],
    [{ key: "q", value: 1 }],
  ),
];
console.log((await Promise.all(work.map(outcome))).join(), await outcome(store.get("a")));
await outcome(store.close());
console.log("closed");
