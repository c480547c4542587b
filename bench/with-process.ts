// One process of `npm run bench -- with`: the same Express app with two stores over one Redis. It
// prints the ratios of requests per second, and the commands of a request.
import type { AddressInfo } from "node:net";
import process from "node:process";
import { RedisStore as ConnectRedis } from "connect-redis";
import express, { type RequestHandler } from "express";
import { rateLimit, type Store } from "express-rate-limit";
import session from "express-session";
import { RedisStore as RateLimitRedis } from "rate-limit-redis";
import { createClient } from "redis";
import { Pool } from "undici";
import kv from "anykv";
import { expressRateLimitStore } from "anykv/with/express-rate-limit";
import { expressSessionStore } from "anykv/with/express-session";
import { race } from "./race.ts";

const REQUESTS = 400;
const AT_ONCE = 20;

const url = process.argv[2]!;
const connect = () => createClient({ url }).connect();
const clients = await Promise.all([connect(), connect(), connect(), connect()]);
const [ours, theirs, watcher, cleaner] = clients;
await cleaner.flushDb();

/** Serves an app with a middleware. */
async function serve(middleware: RequestHandler): Promise<Pool> {
  const app = express();
  app.use(middleware);
  app.get(
    "/read",
    (req, res) => void res.send(`${(req.session as { user?: string } | undefined)?.user}`),
  );
  app.get("/save", (req, res) => {
    Object.assign(req.session, { user: "ann", n: Math.random() });
    res.send("saved");
  });
  const server = app.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  return new Pool(`http://127.0.0.1:${port}`, { connections: AT_ONCE });
}

const sessions = (store: session.Store): RequestHandler =>
  session({
    ...{ store, secret: "a secret", resave: false, saveUninitialized: false },
    cookie: { maxAge: 3_600_000 },
  });
const limits = (store: Store): RequestHandler =>
  rateLimit({
    ...{ windowMs: 3_600_000, limit: 1e9, store, validate: false },
    keyGenerator: ({ headers }) => `${headers["x-client"] as string}`,
  });

/** A person: the headers that tell who it is. */
type Headers = { readonly [name: string]: string };

async function get(pool: Pool, path: string, headers: Headers): Promise<string> {
  const answer = await pool.request({ method: "GET", path, headers });
  await answer.body.dump();
  if (answer.statusCode !== 200) throw new Error(`status ${answer.statusCode}`);
  return String(answer.headers["set-cookie"]).split(";")[0]!;
}

/** A round of requests, many at once. */
async function round(pool: Pool, path: string, people: readonly Headers[]): Promise<void> {
  let left = REQUESTS;
  const work = async (headers: Headers): Promise<void> => {
    while (left-- > 0) await get(pool, path, headers);
  };
  await Promise.all(people.map(work));
}

/** How many commands a request sends. */
async function commandsOf(pool: Pool, path: string, headers: Headers): Promise<number> {
  const seen: string[] = [];
  const monitor = watcher.duplicate();
  await monitor.connect();
  await monitor.monitor((line) => void seen.push(line.toString()));
  for (let i = 0; i < 20; i++) await get(pool, path, headers);
  await watcher.echo("the end");
  while (!seen.some((line) => line.includes("the end")))
    await new Promise((resolve) => setTimeout(resolve, 5));
  monitor.destroy();
  // What a script calls is no round trip.
  return (seen.filter((line) => !line.includes(" lua] ")).length - 1) / 20;
}

const figures: { [name: string]: number } = {};

async function compare(
  name: string,
  path: string,
  [one, two]: readonly [Pool, Pool],
  peopleOf: (pool: Pool) => Promise<readonly Headers[]>,
): Promise<void> {
  const [a, b] = [await peopleOf(one), await peopleOf(two)];
  const times = await race(
    { anykv: { round: () => round(one, path, a) }, other: { round: () => round(two, path, b) } },
    15,
  );
  figures[name] = times.other / times.anykv;
  figures[`${name}, commands`] = await commandsOf(one, path, a[0]!);
  figures[`${name}, commands of the other`] = await commandsOf(two, path, b[0]!);
}

const loggedIn = (pool: Pool): Promise<Headers[]> =>
  Promise.all(
    Array.from({ length: AT_ONCE }, async () => ({ cookie: await get(pool, "/save", {}) })),
  );
const apart = async (): Promise<Headers[]> =>
  Array.from({ length: AT_ONCE }, (_, i) => ({ "x-client": `${i}` }));
const together = async (): Promise<Headers[]> =>
  Array.from({ length: AT_ONCE }, () => ({ "x-client": "one" }));

const store = kv(ours);
const pools: [Pool, Pool] = [
  await serve(sessions(expressSessionStore(session, store.prefix("session:")))),
  await serve(sessions(new ConnectRedis({ client: theirs }))),
];
await compare("session, read", "/read", pools, loggedIn);
await compare("session, saved", "/save", pools, loggedIn);
const limited: [Pool, Pool] = [
  await serve(limits(expressRateLimitStore(store, { prefix: "limit:" }))),
  await serve(
    limits(new RateLimitRedis({ sendCommand: (...args) => theirs.sendCommand(args) as never })),
  ),
];
await compare("limit, many clients", "/read", limited, apart);
await compare("limit, one client", "/read", limited, together);
console.log(JSON.stringify(figures));
process.exit();
