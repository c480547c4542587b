/** A worker with the whole library in it: what it answers is what happened inside. */
import type { WorkersKv } from "../../src/clients/cloudflare/index.ts";
import kv from "../../src/index.ts";
import { everyWay } from "../suites/workerd-ways.ts";
import { emptied, type RawKv } from "../support/workerd-raw.ts";

interface Env {
  readonly KV: WorkersKv & RawKv;
}

// While a worker loads it has neither a clock nor random numbers, and no request to wait in.
const memory = kv(new Map(), { prefix: "global:", expires: "1h" });

const routes: { [path: string]: (env: Env, query: URLSearchParams) => Promise<unknown> } = {
  /** Runs one statement. */
  "/statement": async (env, query) => {
    const open = async () => kv(await emptied(env.KV));
    const [, tests] = everyWay({ open, runs: Number(query.get("runs")) }, true)[
      Number(query.get("way"))
    ]!;
    const test = tests[Number(query.get("index"))]!;
    return test.run().then(
      () => ({ name: test.name }),
      (error: Error) => ({ name: test.name, failure: `${error.message}\n${error.stack}` }),
    );
  },
  /** Both kinds of stores in one worker. */
  "/both": async (env) => {
    const store = kv(env.KV);
    const count = ((await memory.get("count")) ?? 0) as number;
    await memory.set("count", count + 1);
    await store.set("count", count + 1, { expires: "2m" });
    return [memory.type, await memory.get("count"), store.type, await store.get("count")];
  },
};

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    return Response.json(await routes[pathname]!(env, searchParams));
  },
};
