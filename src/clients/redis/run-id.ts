import type { RedisNode } from "./wire.ts";

/** Which process a server is, "" when it does not tell. */
export async function runOf(node: RedisNode): Promise<string> {
  try {
    return /run_id:(\w+)/.exec(String(await node.send(["INFO", "server"])))?.[1] ?? "";
  } catch {
    // The command may be forbidden: then a place in the names is not used again. A lost server
    // shows in the next command.
    return "";
  }
}
