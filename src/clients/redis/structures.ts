import { KvError } from "../../errors.ts";
import { redisError } from "./errors.ts";
import { runText } from "./scripts.ts";
import { slotOf } from "./slot.ts";
import { STRUCTURE_SCRIPTS } from "./structure-scripts.ts";
import type { RedisWire } from "./wire.ts";
import type { Scored, StructureCalls, StructureName, StructurePlace } from "../adapter.ts";
import { foreign } from "../../record/text-format.ts";

type Reply = (reply: unknown) => unknown;
type Pairs = readonly (readonly [name: string, value: string | number])[];

const texts: Reply = (reply) => (reply as unknown[]).map(String);
const text: Reply = (reply) => (reply === null ? null : String(reply));
const number: Reply = (reply) => (reply === null ? null : Number(reply) + 0);
const truth: Reply = (reply) => Number(reply) === 1;
const nothing: Reply = () => undefined;

function pairs(reply: unknown): [string, string][] {
  const flat = reply as unknown[];
  return Array.from({ length: flat.length / 2 }, (_, i) => [
    String(flat[2 * i]),
    String(flat[2 * i + 1]),
  ]);
}
/** Other programs may have stored an infinite score, which Redis calls "inf". */
const score: Reply = (reply) =>
  reply === null ? null : Number(String(reply).replace(/inf$/, "Infinity")) + 0;
const scored: Reply = (reply): Scored[] =>
  pairs(reply).map(([member, each]) => [member, score(each) as number]);

/**
 * A number of the two halves that a script answers with; those of a bitset of this width, or a sum.
 */
const wide = ([upper, lower]: readonly unknown[]): bigint =>
  (BigInt(String(upper)) << 32n) + BigInt(String(lower));

const REPLIES: { readonly [Name in StructureName]: Reply } = {
  "number.read": number,
  "number.write": nothing,
  "number.increment": number,
  "bitset.get": (reply) => (reply === null ? null : wide(reply as unknown[])),
  "bitset.sum": (reply) => wide(reply as unknown[]),
  "bitset.set": nothing,
  "bitset.increment": (reply) => wide(reply as unknown[]),
  "set.read": texts,
  "set.has": truth,
  "set.size": number,
  "set.write": nothing,
  "set.add": number,
  "set.remove": number,
  "set.intersect": texts,
  "list.range": texts,
  "list.size": number,
  "list.write": nothing,
  "list.push": number,
  "list.unshift": number,
  "list.pop": text,
  "list.shift": text,
  "list.trim": nothing,
  "hash.read": pairs,
  "hash.get": text,
  "hash.names": texts,
  "hash.size": number,
  "hash.write": nothing,
  "hash.set": number,
  "hash.remove": number,
  "sorted.range": scored,
  "sorted.between": scored,
  "sorted.score": score,
  "sorted.rank": number,
  "sorted.size": number,
  "sorted.write": nothing,
  "sorted.add": number,
  "sorted.remove": number,
  "sorted.increment": number,
  "any.touch": truth,
};

// Calls whose result differs when they are made twice. A client that sends one again for want of an
// does it twice.
const ONCE: ReadonlySet<string> = new Set<StructureName>([
  "number.increment",
  "bitset.increment",
  "list.push",
  "list.unshift",
  "list.pop",
  "list.shift",
  "list.trim",
  "sorted.increment",
]);

/** An argument as scripts take it. */
function argument(arg: unknown): string {
  if (arg === null) return "";
  if (typeof arg === "boolean") return arg ? "1" : "0";
  if (typeof arg === "number")
    return arg === Infinity ? "+inf" : arg === -Infinity ? "-inf" : String(arg);
  if (!Array.isArray(arg)) return String(arg);
  const pair = arg as Pairs;
  return JSON.stringify(
    Array.isArray(arg[0]) ? pair.flatMap(([name, value]) => [name, String(value)]) : arg,
  );
}

// A deadline that is past here is past, whatever the clock of the server says.
const moment = (at: number | null): string =>
  at === null ? "never" : String(at <= Date.now() ? 0 : at);

/** The most sets that one call is about: a call in Lua takes some thousands of arguments. */
const MOST_SETS = 1000;

/** The members that a set has in common with others, on a server for each slot if need be. */
async function intersect(
  wire: RedisWire,
  key: string,
  others: readonly string[],
): Promise<unknown> {
  const keys = [key, ...others];
  const slots = wire.isCluster ? new Set(keys.map((each) => slotOf(wire.prefix + each))).size : 1;
  const names = keys.map((each) => wire.before + each);
  if (slots === 1 && keys.length <= MOST_SETS)
    return runText(wire, 'return redis.call("SINTER", unpack(KEYS))', names, []);
  const [first, ...rest] = await Promise.all(
    names.map(
      async (name) =>
        texts(await runText(wire, STRUCTURE_SCRIPTS["set.read"], [name], [])) as string[],
    ),
  );
  const sets = rest.map((members) => new Set(members));
  return first!.filter((member) => sets.every((members) => members.has(member)));
}

/**
 * Reads or changes a structure of Redis.
 *
 * @throws {KvError} KV_FOREIGN when another type is there; KV_CONNECTION when the client may have
 * done a change twice.
 */
export async function structure<Name extends StructureName>(
  wire: RedisWire,
  name: Name,
  { key, expires, initial }: StructurePlace,
  args: readonly unknown[],
): Promise<ReturnType<StructureCalls[Name]>> {
  const isUnsure = ONCE.has(name) ? await wire.watch() : () => false;
  try {
    const rest = [
      expires === undefined ? "keep" : moment(expires),
      moment(initial),
      ...args.map(argument),
    ];
    // The one call that is about several keys.
    const reply =
      name === "set.intersect"
        ? await intersect(wire, key, args[0] as string[])
        : await runText(
            wire,
            STRUCTURE_SCRIPTS[name as Exclude<Name, "set.intersect">],
            [wire.before + key],
            rest,
          );
    if (isUnsure())
      throw new KvError(
        "KV_CONNECTION",
        "the connection was cut before the answer came, and the client sent this again: it may " +
          "have been done twice; read the field again",
        { key },
      );
    // Each reply has the type of its name.
    return REPLIES[name](reply ?? null) as ReturnType<StructureCalls[Name]>;
  } catch (error) {
    throw /\bWRONGTYPE\b/.test(String((error as Partial<Error> | null)?.message))
      ? foreign(key)
      : redisError(error, key);
  }
}
