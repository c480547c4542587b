// Everything side by side in one run, as ratios of medians. `npm run bench -- level file` runs some
// of it.
import { cpus } from "node:os";
import process from "node:process";
import { cache } from "./cache.ts";
import { counters } from "./counters.ts";
import { file, flat, level, sqlite } from "./embedded.ts";
import { etcd } from "./etcd.ts";
import { main as http } from "./http.ts";
import { firstCall } from "./first-call.ts";
import { growth } from "./growth.ts";
import { memory } from "./memory.ts";
import { namespaces } from "./namespace.ts";
import { postgres } from "./postgres.ts";
import { proxies } from "./proxies.ts";
import { reactive } from "./reactive.ts";
import { redis } from "./redis.ts";
import { schema } from "./schema.ts";
import { speed } from "./speed.ts";
import { tracing } from "./tracing.ts";
import { watch } from "./watch.ts";

const parts: Record<string, () => Promise<unknown>> = {
  import: firstCall,
  speed,
  memory,
  cache,
  level,
  sqlite,
  file,
  flat,
  redis,
  etcd,
  postgres,
  counters,
  http,
  namespaces,
  schema,
  reactive,
  watch,
  tracing,
  proxies,
  growth,
};
const wanted = process.argv.slice(2).filter((each) => !each.startsWith("--"));

console.log(`Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model}\n`);
for (const [name, part] of Object.entries(parts)) {
  if (wanted.length === 0 || wanted.includes(name)) await part();
}
