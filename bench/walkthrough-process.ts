// One of the processes of the walkthrough: `node walkthrough-process.ts <step> <url> <seconds> <n>`
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import KeyvRedis from "@keyv/redis";
import { BentoCache, bentostore } from "bentocache";
import { memoryDriver } from "bentocache/drivers/memory";
import { redisBusDriver, redisDriver } from "bentocache/drivers/redis";
import { Cacheable } from "cacheable";
import { createClient } from "redis";
import kv from "anykv";
import { createCache } from "anykv/cache";

/** The steps, and how they are called in the table. */
export const STEPS: { readonly [step: string]: string } = {
  none: "no cache",
  naive: "`get ?? set`",
  process: "single flight in the process, by hand",
  across: "`getOrSet`: single flight across processes",
  grace: "`grace`",
  tiers: "two tiers",
  tags: "tags, one expired each second",
  bento: "bentocache: single flight in the process",
  "bento-grace": "bentocache: grace",
  "bento-tiers": "bentocache: grace and two tiers",
  cacheable: "cacheable: two tiers",
};

/** What a process has measured. */
export interface Measured {
  /** The milliseconds of each read. */
  readonly times: readonly number[];
  readonly loads: number;
  readonly errors: number;
}

type Read = (key: string, load: () => Promise<unknown>) => Promise<unknown>;

const KEYS = 1000;
const TTL = 5;
const GRACE = 120;
/** The reads of a process in a second. */
const RATE = 20;

// The n-th key is read 1/n times as often as the first.
const weights = Array.from({ length: KEYS }, (_, i) => 1 / (i + 1));
const total = weights.reduce((sum, weight) => sum + weight, 0);
function pick(): string {
  let left = Math.random() * total;
  return `key ${weights.findIndex((weight) => (left -= weight) < 0)}`;
}

/** How a step reads. */
async function readerOf(step: string, url: string, n: number): Promise<Read> {
  if (step === "none") return (_, load) => load();
  if (step === "cacheable") {
    const cache = new Cacheable({ secondary: new KeyvRedis(url), ttl: `${TTL}s` });
    return (key, load) => cache.getOrSet(key, load, { throwErrors: true });
  }
  if (step.startsWith("bento")) {
    const connection = { host: "127.0.0.1", port: Number(new URL(url).port) };
    let store = bentostore();
    if (step === "bento-tiers") store = store.useL1Layer(memoryDriver({}));
    store = store.useL2Layer(redisDriver({ connection }));
    if (step === "bento-tiers") store = store.useBus(redisBusDriver({ connection }));
    const grace = step === "bento" ? {} : { grace: `${GRACE}s`, timeout: 1 };
    const cache = new BentoCache({
      default: "redis",
      ttl: `${TTL}s`,
      ...grace,
      stores: { redis: store },
    });
    return (key, factory) => cache.getOrSet({ key, factory });
  }
  const client = await createClient({ url }).connect();
  const store = kv(client, { prefix: "walk:", timeout: "10s" });
  if (step === "naive" || step === "process") {
    const read: Read = async (key, load) => {
      const cached = await store.get(key);
      if (cached !== null) return cached;
      const loaded = await load();
      await store.set(key, loaded, { expires: TTL });
      return loaded;
    };
    if (step === "naive") return read;
    const flights = new Map<string, Promise<unknown>>();
    return (key, load) => {
      const flight = flights.get(key) ?? read(key, load).finally(() => flights.delete(key));
      flights.set(key, flight);
      return flight;
    };
  }
  const options = { ttl: TTL, ...(step !== "across" && { grace: GRACE }) };
  const hasTiers = step === "tiers" || step === "tags";
  const cache = createCache(hasTiers ? { l1: { ttl: 1 }, l2: store } : store, options);
  if (step !== "tags") return (key, load) => cache.getOrSet(key, load);
  if (n === 0) setInterval(() => void cache.expireTags([pick()]), 1000);
  return (key, load) => cache.getOrSet(key, load, { tags: [key] });
}

async function main(): Promise<void> {
  const [step = "", url = "", seconds = "", n = ""] = process.argv.slice(2);
  const read = await readerOf(step, url, Number(n));
  process.send!("ready");
  await new Promise((resolve) => process.once("message", resolve));
  const begun = performance.now();
  const third = (Number(seconds) * 1000) / 3;
  const times: number[] = [];
  let [loads, errors] = [0, 0];
  const load = async (): Promise<unknown> => {
    loads++;
    const isDown = Math.floor((performance.now() - begun) / third) === 1;
    await sleep(200);
    if (isDown || Math.random() < 0.05) throw new Error("the origin failed");
    return { name: "Ann", tags: ["admin", "staff"], at: Date.now() };
  };
  const pending: Promise<void>[] = [];
  while (performance.now() - begun < third * 3) {
    const start = performance.now();
    pending.push(
      read(pick(), load).then(
        () => void times.push(performance.now() - start),
        () => {
          times.push(performance.now() - start);
          errors++;
        },
      ),
    );
    // At random moments.
    await sleep((-Math.log(1 - Math.random()) * 1000) / RATE);
  }
  await Promise.all(pending);
  const measured: Measured = { times, loads, errors };
  process.send!(measured);
}

if (process.send !== undefined && process.argv[1] === import.meta.filename) await main();
