// Caches side by side: hits in memory, hits and misses in Redis, and many callers of one key.
import { once } from "node:events";
import { type AddressInfo, createConnection, createServer, type Socket } from "node:net";
import { BentoCache, bentostore } from "bentocache";
import { memoryDriver } from "bentocache/drivers/memory";
import { Cacheable } from "cacheable";
import { createClient } from "redis";
import kv from "anykv";
import { createCache } from "anykv/cache";
import { line, median, micros, race } from "./race.ts";
import { server } from "./redis.ts";

const value = { name: "Ann", age: 41, tags: ["admin", "staff"] };
const CALLERS = 10_000;
const ORIGIN = 50;

/** The memory tier of each library, and a value in it. */
async function memories() {
  const cache = createCache({ l1: { ttl: "1h" }, l2: new Map() }, { ttl: "1h" });
  const bento = new BentoCache({
    default: "memory",
    stores: { memory: bentostore().useL1Layer(memoryDriver({ serialize: true })) },
  });
  const cacheable = new Cacheable({ ttl: "1h" });
  const store = kv(new Map());
  const read = {
    anykv: (load: () => Promise<unknown>) => cache.getOrSet("a", load, { ttl: "1h" }),
    bentocache: (load: () => Promise<unknown>) =>
      bento.getOrSet({ key: "a", factory: load, ttl: "1h" }),
    cacheable: (load: () => Promise<unknown>) => cacheable.getOrSet("a", load, { ttl: "1h" }),
  };
  const clear = async (): Promise<void> => {
    await Promise.all([cache.clear(), bento.clear(), cacheable.clear()]);
  };
  await store.set("a", value);
  for (const each of Object.values(read)) await each(async () => value);
  return { cache, store, read, clear };
}

/** A hit in the memory of the process. */
async function hits({ read, store }: Awaited<ReturnType<typeof memories>>): Promise<void> {
  const times = 20_000;
  const load = async (): Promise<unknown> => value;
  const round = (work: () => Promise<unknown>) => ({
    async round() {
      for (let i = 0; i < times; i++) await work();
    },
  });
  const found = await race({
    anykv: round(() => read.anykv(load)),
    bentocache: round(() => read.bentocache(load)),
    cacheable: round(() => read.cacheable(load)),
    store: round(() => store.get("a")),
  });
  for (const [peer, goal] of [
    ["bentocache", 4],
    ["cacheable", 8],
  ] as const) {
    const ratio = found[peer] / found.anykv;
    const detail = `${micros(found.anykv, times)}, ${peer} ${micros(found[peer], times)}`;
    line(
      `cache: hit in memory, ${peer} against it`,
      ratio,
      `at least ${goal}`,
      ratio >= goal,
      detail,
    );
  }
  const detail = `kv(new Map()).get ${micros(found.store, times)}`;
  line(
    "cache: hit in memory, against get() of a store",
    found.anykv / found.store,
    "",
    true,
    detail,
  );
}

/** 10,000 callers of one key that is missing, with a loader that takes 50 ms. */
async function callers({ read, clear }: Awaited<ReturnType<typeof memories>>): Promise<void> {
  const names = ["anykv", "bentocache", "cacheable"] as const;
  const times: Record<(typeof names)[number], number[]> = {
    anykv: [],
    bentocache: [],
    cacheable: [],
  };
  const loads = { anykv: 0, bentocache: 0, cacheable: 0 };
  for (let round = 0; round < 5; round++) {
    for (const name of names) {
      await clear();
      loads[name] = 0;
      const load = async (): Promise<unknown> => {
        loads[name]++;
        await new Promise((resolve) => setTimeout(resolve, ORIGIN));
        return value;
      };
      const begun = performance.now();
      await Promise.all(Array.from({ length: CALLERS }, () => read[name](load)));
      times[name].push(performance.now() - begun);
    }
  }
  const own = median(times.anykv);
  const others = names
    .slice(1)
    .map((name) => `${name} ${Math.round(median(times[name]))} ms, ${loads[name]} loads`);
  line(
    `cache: ${CALLERS} callers of a key, loader of ${ORIGIN} ms`,
    own / ORIGIN,
    "at most 100 ms, 1 load",
    own <= 100 && loads.anykv === 1,
    `${Math.round(own)} ms, ${loads.anykv} load; ${others.join("; ")}`,
  );
}

/** Hits and misses in a Redis, against the store and the bare commands. */
async function onRedis(url: string, where: string, times: number, rounds: number): Promise<void> {
  const client = await createClient({ url })
    .on("error", () => undefined)
    .connect();
  const store = kv(client, { prefix: "bench:" });
  const cache = createCache(store, { ttl: "1h" });
  const load = async (): Promise<unknown> => value;
  await cache.set("hit", value);
  await store.set("hit", value);
  let count = 0;
  const round = (work: (key: string) => Promise<unknown>) => ({
    async round() {
      for (let i = 0; i < times; i++) await work(`${where}:${count++}`);
    },
  });
  const found = await race(
    {
      hit: round(() => cache.getOrSet("hit", load)),
      get: round(() => store.get("hit")),
      miss: round((key) => cache.getOrSet(key, load)),
      raw: round(async (key) => {
        await client.get(`raw:${key}`);
        await client.set(`raw:${key}`, JSON.stringify(value));
      }),
      ping: round(() => client.ping()),
    },
    rounds,
  );
  const hit = found.hit / found.get;
  const detail = `${micros(found.hit, times)}, get() ${micros(found.get, times)}`;
  line(`cache: hit in ${where}, against get()`, hit, "at most 1.1", hit <= 1.1, detail);
  const trips = (found.miss - found.raw) / found.ping;
  line(
    `cache: miss in ${where}, round trips above GET + SET`,
    trips,
    "at most 2",
    trips <= 2,
    [
      micros(found.miss, times),
      `GET + SET ${micros(found.raw, times)}`,
      `PING ${micros(found.ping, times)}`,
    ].join(", "),
  );
  await client.close();
}

/** A way to a server that takes so many milliseconds there, and as many back. */
async function distant(target: string, ms: number): Promise<{ url: string; end(): void }> {
  const sockets: Socket[] = [];
  const proxy = createServer((near) => {
    const far = createConnection(Number(new URL(target).port), "127.0.0.1");
    sockets.push(near, far);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const)
      from
        .on("data", (bytes) => setTimeout(() => to.write(bytes), ms))
        .on("error", () => undefined);
  }).listen(0, "127.0.0.1");
  await once(proxy, "listening");
  const end = (): void => {
    for (const socket of sockets) socket.destroy();
    proxy.close();
  };
  return { url: `redis://127.0.0.1:${(proxy.address() as AddressInfo).port}`, end };
}

/** Everything about caches. */
export async function cache(): Promise<void> {
  const all = await memories();
  await hits(all);
  await callers(all);
  const { url, end } = await server();
  // Short rounds: a slow moment of the machine meets few of them.
  await onRedis(url, "Redis", 50, 101);
  const far = await distant(url, 2);
  await onRedis(far.url, "distant Redis", 5, 11);
  far.end();
  end();
}
