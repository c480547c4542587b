/**
 * A worker that runs the cases on a real binding, and on a namespace of this library in its own
 * memory.
 */
import { createKV } from "../../src/namespace/index.ts";
import { type LooseKv, NAMESPACE_CASES, NAMESPACE_DIFFERENCES } from "../suites/namespace-cases.ts";
import { emptied, type RawKv } from "../support/workerd-raw.ts";

interface Env {
  readonly KV: LooseKv & RawKv;
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const query = new URL(request.url).searchParams;
    const { run } = [...NAMESPACE_CASES, ...NAMESPACE_DIFFERENCES][Number(query.get("index"))]!;
    if (query.get("on") === "binding") return Response.json(await run(await emptied(env.KV)));
    const kv = createKV({ compat: "workers" });
    return Response.json({ storage: kv.storage, seen: await run(kv.namespace("cases") as never) });
  },
};
