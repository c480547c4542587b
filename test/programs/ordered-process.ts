// Lists a Redis database in order again and again: node ordered-process.ts <url>
import { createClient } from "redis";
import { redis } from "../../src/clients/redis/index.ts";
import kv from "../../src/index.ts";

const [url] = process.argv.slice(2) as [string];
const store = kv(redis(createClient({ url }), { ordered: true }), { timeout: "60s" });
for (;;) await store.list({ limit: 1 });
