import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import process from "node:process";
import polystore from "polystore";
import { createClient } from "redis";
import kv from "anykv";
import { line, micros, race } from "./race.ts";

const value = { name: "Ann", age: 41, tags: ["admin", "staff"] };
const keys = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => `k${String(i).padStart(6, "0")}`);

/** A server of its own, unless a URL is given. Its data is deleted. */
export async function server(): Promise<{ url: string; end(): void }> {
  if (process.env.REDIS_URL !== undefined)
    return { url: process.env.REDIS_URL, end: () => undefined };
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  probe.close();
  const child = spawn(
    process.env.REDIS_SERVER ?? "redis-server",
    ["--port", `${port}`, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
    { stdio: "ignore" },
  );
  const end = (): void => void child.kill("SIGKILL");
  process.once("exit", end);
  return { url: `redis://127.0.0.1:${port}`, end };
}

/** Single operations, many at once and listings against the client's own commands. */
export async function redis(): Promise<void> {
  const { url, end } = await server();
  const client = await createClient({ url })
    .on("error", () => undefined)
    .connect();
  const store = kv(client, { prefix: "anykv:" });
  const some = keys(1000);

  const raw = {
    set: (key: string) => client.set(`plain:${key}`, JSON.stringify(value)),
    get: async (key: string) => JSON.parse((await client.get(`plain:${key}`))!) as unknown,
  };
  const report = (
    what: string,
    times: { anykv: number; raw: number },
    goal: number,
    operations: number,
  ): void =>
    line(
      what,
      times.anykv / times.raw,
      `at most ${goal}`,
      times.anykv <= goal * times.raw,
      `${micros(times.anykv, operations)}, raw ${micros(times.raw, operations)}`,
    );
  const oneByOne = (work: (key: string) => Promise<unknown>) => ({
    round: async () => {
      for (const key of some) await work(key);
    },
  });
  const together = (work: (key: string) => Promise<unknown>) => ({
    round: () => Promise.all(some.map(work)),
  });

  report(
    "redis: set, one after the other",
    await race({ anykv: oneByOne((key) => store.set(key, value)), raw: oneByOne(raw.set) }, 15),
    1.15,
    some.length,
  );
  report(
    "redis: get, one after the other",
    await race({ anykv: oneByOne(store.get), raw: oneByOne(raw.get) }, 15),
    1.15,
    some.length,
  );
  report(
    "redis: 1,000 sets at once",
    await race({ anykv: together((key) => store.set(key, value)), raw: together(raw.set) }, 25),
    1.15,
    some.length,
  );
  report(
    "redis: 1,000 gets at once",
    await race({ anykv: together(store.get), raw: together(raw.get) }, 25),
    1.15,
    some.length,
  );

  const hundred = some.slice(0, 100);
  const many = await race(
    {
      anykv: {
        round: async () => {
          for (let i = 0; i < 50; i++) await store.getMany(hundred);
        },
      },
      raw: {
        round: async () => {
          for (let i = 0; i < 50; i++)
            (await client.mGet(hundred.map((key) => `plain:${key}`))).map(
              (text) => JSON.parse(text!) as unknown,
            );
        },
      },
    },
    25,
  );
  report("redis: getMany(100)", many, 1.3, 50);

  const entries = keys(10_000).map((key): [string, typeof value] => [key, value]);
  await store.setMany(entries);
  for (let i = 0; i < entries.length; i += 1000)
    await client.mSet(
      Object.fromEntries(
        entries.slice(i, i + 1000).map(([key, each]) => [`plain:${key}`, JSON.stringify(each)]),
      ),
    );
  // Sixteen entries at a time: one after the other, as its users would, takes minutes.
  const theirs = polystore(client as never).prefix("poly:") as unknown as {
    set(key: string, value: unknown): Promise<unknown>;
  } & AsyncIterable<unknown>;
  for (let i = 0; i < entries.length; i += 16)
    await Promise.all(entries.slice(i, i + 16).map(([key, each]) => theirs.set(key, each)));
  const counted = async (iterable: AsyncIterable<unknown>): Promise<void> => {
    let count = 0;
    for await (const _ of iterable) count++;
    if (count !== entries.length) throw new Error(`${count} entries were listed`);
  };
  const listing = await race(
    {
      anykv: { round: () => counted(store) },
      entries: { round: () => store.entries() },
      keys: { round: () => store.keys() },
      raw: {
        async round() {
          let count = 0;
          for await (const page of client.scanIterator({ MATCH: "plain:*", COUNT: 1000 })) {
            if (page.length === 0) continue;
            count += (await client.mGet(page)).map((text) => JSON.parse(text!) as unknown).length;
          }
          if (count < entries.length) throw new Error(`${count} entries were read`);
        },
      },
    },
    25,
  );
  report("redis: iterate 10,000", listing, 1.5, entries.length);
  report(
    "redis: entries() of 10,000",
    { anykv: listing.entries, raw: listing.raw },
    1.5,
    entries.length,
  );
  report("redis: keys() of 10,000", { anykv: listing.keys, raw: listing.raw }, 2, entries.length);
  // Apart from the others, who would have to clear away what it leaves behind.
  const { polystore: slow } = await race({ polystore: { round: () => counted(theirs) } }, 5);
  line(
    "redis: iterate 10,000, polystore takes",
    slow / listing.anykv,
    "at least 10",
    slow >= 10 * listing.anykv,
    `${listing.anykv.toFixed(0)} ms, polystore ${slow.toFixed(0)} ms`,
  );

  for (const prefix of ["anykv:", "plain:", "poly:"]) await kv(client, { prefix }).clear();
  await store.close();
  end();
}
