import { KvError } from "../../errors.ts";
import type { KvRecord } from "../../record/types.ts";
import type { Walk, WalkQuery } from "../adapter.ts";
import { textsOf } from "./many.ts";
import { listed } from "./record.ts";
import { runOf } from "./run-id.ts";
import { literalPattern, slotLayout } from "./scan.ts";
import type { RedisNode, RedisWire } from "./wire.ts";

/** How many names one command looks at, at most. */
const MOST = 4000;

/** How many commands a page takes at most. */
const COMMANDS = 16;

/** The cursor behind the last name. */
const END = "end";

/** A position in the names of a database. */
interface Position {
  /** The servers that share the slots, as a number. */
  readonly layout: string;
  /** The process that the position belongs to. */
  readonly run: string;
  readonly cursor: string;
  /** Keys that have been found, and were too many for a page. */
  readonly left: readonly string[];
}

/** @throws {KvError} KV_INVALID_CURSOR for a text that is no position under the prefix. */
function positionIn(text: string, prefix: string): Position {
  try {
    const [layout, run, cursor, ...left] = JSON.parse(text) as unknown[];
    const isOwn = (key: unknown): boolean => typeof key === "string" && key.startsWith(prefix);
    if (
      typeof layout === "string" &&
      typeof run === "string" &&
      typeof cursor === "string" &&
      /^(\d{1,20}|end)$/.test(cursor) &&
      left.every(isOwn)
    )
      return { layout, run, cursor, left: left as string[] };
  } catch {
    // No JSON: rejected below.
  }
  throw new KvError("KV_INVALID_CURSOR", "this cursor was not made by a listing of Redis");
}

const textOf = ({ layout, run, cursor, left }: Position): string =>
  JSON.stringify([layout, run, cursor, ...left]);

/** A short text that differs for other texts, most probably. */
function shortened(text: string): string {
  let hash = 0;
  for (let i = 0; i < text.length; i++) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) | 0;
  return (hash >>> 0).toString(36);
}

interface Server {
  readonly node: RedisNode;
  readonly run: string;
}

/** The servers that have keys, in an order that is the same in every process. */
async function serversOf(wire: RedisWire): Promise<{ servers: Server[]; layout: string }> {
  const nodes = await wire.nodes();
  const layout = wire.isCluster ? shortened(await slotLayout(nodes)) : "";
  const servers = await Promise.all(nodes.map(async (node) => ({ node, run: await runOf(node) })));
  return { servers: servers.sort((a, b) => (a.run < b.run ? -1 : 1)), layout };
}

/** Where to start: at the first name if the servers are not those of the position. */
function startOf(
  { from, prefix }: WalkQuery,
  servers: readonly Server[],
  layout: string,
): Position {
  const start = { layout, run: servers[0]!.run, cursor: "0", left: [] };
  if (from === null) return start;
  const position = positionIn(from, prefix);
  const isKnown =
    position.layout === layout && servers.some(({ run }) => run === position.run && run !== "");
  return isKnown ? position : { ...start, left: position.left };
}

/** Finds keys from a position on. Resolves to the next position, `null` at the end. */
async function find(
  wire: RedisWire,
  prefix: string,
  limit: number,
  start: Position,
  servers: readonly Server[],
): Promise<{ keys: string[]; next: Position | null }> {
  const keys = new Set(start.left);
  let { run, cursor } = start;
  if (cursor === END) return { keys: [...keys], next: null };
  const pattern = `${literalPattern(wire.prefix + prefix)}*`;
  let count = limit;
  for (let i = 0; i < COMMANDS && keys.size < limit; i++) {
    const at = servers.findIndex((server) => server.run === run);
    const looks = String(Math.min(MOST, Math.max(10, count)));
    const reply = servers[at]!.node.send(["SCAN", cursor, "MATCH", pattern, "COUNT", looks]);
    const [next, names] = (await reply) as [unknown, string[]];
    const before = keys.size;
    for (const name of names) {
      const key = name.slice(wire.prefix.length);
      if (key.startsWith(prefix)) keys.add(key);
    }
    // The rest is about as dense as what was passed.
    const found = keys.size - before;
    count = found === 0 ? 2 * count : Math.ceil((count * (limit - keys.size)) / found);
    cursor = String(next);
    if (cursor !== "0") continue;
    if (at === servers.length - 1) return { keys: [...keys], next: null };
    ({ run } = servers[at + 1]!);
  }
  return { keys: [...keys], next: { ...start, run, cursor, left: [] } };
}

/**
 * Some records with a prefix, from where another call has stopped. After a restart of the server or
 * a change of the cluster it starts anew.
 */
export async function walk(wire: RedisWire, query: WalkQuery): Promise<Walk> {
  const { prefix, limit } = query;
  const { servers, layout } = await serversOf(wire);
  const start = startOf(query, servers, layout);
  const { keys, next } = await find(wire, prefix, limit, start, servers);
  const page = keys.slice(0, limit);
  const left = keys.slice(limit);
  const texts = page.length === 0 ? [] : await textsOf(wire, page);
  const entries: (readonly [string, KvRecord])[] = [];
  page.forEach((key, i) => {
    const record = texts[i] === null ? null : listed(String(texts[i]), key, true);
    if (record !== null) entries.push([key, record]);
  });
  if (next === null && left.length === 0) return { entries, next: null };
  const last = servers.at(-1)!.run;
  return { entries, next: textOf({ ...(next ?? { ...start, run: last, cursor: END }), left }) };
}
