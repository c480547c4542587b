// One process of bench/speed.ts: prints its ratios as JSON.
import process from "node:process";
import polystore from "polystore";
import { createClient } from "redis";
import kv from "anykv";
import { bare, type Cache, checking, reading, SMALL, writing } from "./memory.ts";
import { race } from "./race.ts";

const ratios: { [name: string]: number } = {};

/** Notes how many times as long ours takes as theirs. */
async function compare(name: string, ours: () => unknown, theirs: () => unknown): Promise<void> {
  const times = await race({ ours: { round: ours }, theirs: { round: theirs } });
  ratios[name] = times.ours / times.theirs;
}

async function inMemory(what: string, value: unknown, rival: string, theirs: Cache): Promise<void> {
  const ours = kv(new Map()) as unknown as Cache;
  const rounds = {
    set: (cache: Cache) => writing(cache, value).round,
    get: (cache: Cache) => reading(cache).round,
  };
  for (const [operation, of] of Object.entries(rounds)) {
    await compare(`memory: ${operation} of ${what}, against ${rival}`, of(ours), of(theirs));
  }
}

async function inRedis(): Promise<void> {
  const client = await createClient({ url: process.env.REDIS_URL! }).connect();
  const store = kv(client, { prefix: "anykv:" });
  const text = JSON.stringify(SMALL);
  const keys = Array.from({ length: 1000 }, (_, i) => `k${i}`);
  const hundred = keys.slice(0, 100);
  const plain = hundred.map((key) => `plain:${key}`);
  const repeat = async (work: () => Promise<unknown>): Promise<void> => {
    for (let i = 0; i < 50; i++) await work();
  };

  await compare(
    "redis: 1,000 sets at once, against SET",
    () => Promise.all(keys.map((key) => store.set(key, SMALL))),
    () => Promise.all(keys.map((key) => client.set(`plain:${key}`, JSON.stringify(SMALL)))),
  );
  await Promise.all(plain.map((key) => client.set(key, text)));
  await compare(
    "redis: getMany(100), against MGET",
    () => repeat(() => store.getMany(hundred)),
    () =>
      repeat(async () => (await client.mGet(plain)).map((each) => JSON.parse(each!) as unknown)),
  );
  const records = hundred.map((key) => `anykv:${key}`);
  await compare(
    "redis: getMany(100), against MGET of the same records",
    () => repeat(() => store.getMany(hundred)),
    () =>
      repeat(async () =>
        (await client.mGet(records)).map((each) => (JSON.parse(each!) as { value: unknown }).value),
      ),
  );
  await client.close();
}

await inMemory("a small object", SMALL, "polystore", polystore(new Map()) as unknown as Cache);
await inMemory("a string", "hello world", "a bare async Map", bare());
await inMemory("a string", "hello world", "one that checks keys", checking());
await inRedis();
console.log(JSON.stringify(ratios));
