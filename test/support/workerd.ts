import { Miniflare } from "miniflare";

/** A workerd with a namespace of its own for each name, in memory. */
export function startWorkerd(script: string, namespaces: readonly string[] = ["KV"]): Miniflare {
  return new Miniflare({
    modules: true,
    script,
    compatibilityDate: "2026-06-01",
    kvNamespaces: [...namespaces],
  });
}

/** The script of a worker that does nothing: for tests that use a binding from Node. */
export const IDLE = "export default { fetch() { return new Response('idle'); } }";
