import { KvError } from "../errors.ts";
import { hasMethods } from "../platform/shape.ts";

const ACCEPTED =
  'nothing (memory), a Map, localStorage, "cookie", indexedDB, a file: or https: URL, a ' +
  "database client, an object with get(), set() and iterate(), another store, or a promise of " +
  'one of these: see "Clients" in the readme';

// The function that makes a client of an address. The address itself may hold a password, and is
// never shown.
const CLIENTS: readonly [address: RegExp, client: string][] = [
  [/^(rediss?|valkey):/i, "createClient({ url }), with createClient of redis"],
  [/^postgres(ql)?:/i, "new Pool({ connectionString }), with Pool of pg"],
  [/^sqlite3?:|\.(db|sqlite3?)$/i, "new DatabaseSync(path), with DatabaseSync of node:sqlite"],
  [/^etcd:/i, "new Etcd3({ hosts }), with Etcd3 of etcd3"],
  [/^[a-z][\w+.-]+:\/\//i, "a client of that database: addresses are not clients"],
  [/^(memory|map)$/i, "new Map()"],
  [/^(\w+storage|indexeddb)$/i, "the object of that name, without quotes"],
  [/[./\\]/, 'pathToFileURL("./data.json"), with pathToFileURL of node:url'],
];

function ofString(text: string): [given: string, advice: string | undefined] {
  const [scheme] = /^[a-z][\w+.-]+:/i.exec(text) ?? [];
  const given =
    scheme === undefined ? "a string" : `a string that begins with ${JSON.stringify(scheme)}`;
  return [given, CLIENTS.find(([address]) => address.test(text))?.[1]];
}

function ofFunction(input: { readonly name: string }): [given: string, advice: string] {
  // An uncalled function, or a class.
  const isClass = /^class\b/.test(Function.prototype.toString.call(input));
  const name = input.name === "" ? "without a name" : input.name;
  return [
    `the ${isClass ? "class" : "function"} ${name}`,
    isClass ? "an instance of it" : "what it returns: call it",
  ];
}

function ofObject(input: object): [given: string, advice: string | undefined] {
  const tag = Object.prototype.toString.call(input).slice(8, -1);
  if (tag === "Module") return ["a module", "a client that it makes"];
  if (tag === "WeakMap") return ["a WeakMap, which has no string keys", "a Map"];
  const keys = Object.keys(input);
  if (keys.some((key) => /^(prefix|expires|codec|timeout|requires|ttl|namespace)$/.test(key)))
    return ["options", "them after the client: kv(client, options)"];
  const methods = keys.filter((key) => hasMethods(input, key)).slice(0, 8);
  const name = (input as { constructor?: { name?: unknown } }).constructor?.name;
  return [
    "an object of the class " +
      `${String(name)}${methods.length > 0 ? ` with the methods ${methods.join(", ")}` : ""}`,
    undefined,
  ];
}

/**
 * The error for an argument that is no client. It describes the argument, without its content, and
 * names the client to pass.
 */
export function unknownClient(input: unknown): KvError {
  const [given, advice = ACCEPTED] =
    typeof input === "string"
      ? ofString(input)
      : typeof input === "function"
        ? ofFunction(input)
        : typeof input === "object" && input !== null
          ? ofObject(input)
          : [input === null ? "null" : `a ${typeof input}`];
  return new KvError(
    "KV_UNKNOWN_CLIENT",
    `kv() does not recognise ${given} as a client: pass ${advice}`,
  );
}
