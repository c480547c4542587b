/**
 * A process beside the tests, on the namespace "shared" of a folder:
 * `node namespace-process.ts race <dataDir> <name> <times>` puts "key" so many times, value and
 * metadata alike; `node namespace-process.ts default <dataDir>` says where the namespaces that need
 * no set-up are kept, relative to the working directory, which is the folder.
 */
import process from "node:process";
import { createKV, KV } from "../../src/namespace/index.ts";

const [what, dataDir = "", name = "", times = ""] = process.argv.slice(2);
if (what === "race") {
  const own = createKV({ dataDir });
  const kv = own.namespace("shared");
  const filler = "x".repeat(50_000);
  for (let i = 0; i < Number(times); i++)
    await kv.put("key", `${name}.${i}.${filler}`, { metadata: `${name}.${i}` });
  await own.close();
} else {
  process.chdir(dataDir);
  const kv = KV.namespace("shared");
  await kv.put("hello", "world");
  console.log(JSON.stringify([KV.storage, await kv.get("hello")]));
}
