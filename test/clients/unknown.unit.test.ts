import { createClient } from "redis";
import { expect, it } from "vitest";
import kv, { KvError } from "../../src/index.ts";

const DEFAULT = "nothing (memory), a Map, localStorage";

class Nothing {}

// Each input, what the message calls it, and what it says to pass.
const GIVEN: [input: unknown, given: string, advice: string][] = [
  [null, "null", DEFAULT],
  [42, "a number", DEFAULT],
  [true, "a boolean", DEFAULT],
  [Symbol("secret"), "a symbol", DEFAULT],
  ["", "a string", DEFAULT],
  ["cookies", "a string", DEFAULT],
  [
    "redis://user:secret@host/0",
    'a string that begins with "redis:"',
    "createClient({ url }), with createClient of redis",
  ],
  [
    "rediss://:secret@host",
    'a string that begins with "rediss:"',
    "createClient({ url }), with createClient of redis",
  ],
  [
    "postgres://u:secret@host/db",
    'a string that begins with "postgres:"',
    "new Pool({ connectionString }), with Pool of pg",
  ],
  [
    "postgresql://u:secret@host/db",
    'a string that begins with "postgresql:"',
    "new Pool({ connectionString })",
  ],
  [
    "sqlite:secret.db",
    'a string that begins with "sqlite:"',
    "new DatabaseSync(path), with DatabaseSync of node:sqlite",
  ],
  ["secret.db", "a string", "new DatabaseSync(path), with DatabaseSync of node:sqlite"],
  [
    "etcd://host:2379",
    'a string that begins with "etcd:"',
    "new Etcd3({ hosts }), with Etcd3 of etcd3",
  ],
  [
    "mongodb://u:secret@host",
    'a string that begins with "mongodb:"',
    "a client of that database: addresses are not clients",
  ],
  ["./secret.json", "a string", 'pathToFileURL("./data.json"), with pathToFileURL of node:url'],
  ["secret.json", "a string", "pathToFileURL"],
  ["/tmp/secret/", "a string", "pathToFileURL"],
  ["C:\\secret.json", "a string", "pathToFileURL"],
  ["memory", "a string", "new Map()"],
  ["localStorage", "a string", "the object of that name, without quotes"],
  ["indexedDB", "a string", "the object of that name, without quotes"],
  [() => new Map(), "the function without a name ", "what it returns: call it"],
  [createClient, "the function ", "what it returns: call it"],
  [Nothing, "the class Nothing", "an instance of it"],
  [await import("../../src/errors.ts"), "a module", "a client that it makes"],
  [{ prefix: "secret:" }, "options", "them after the client: kv(client, options)"],
  [{ ttl: 60 }, "options", "them after the client"],
  [new WeakMap(), "a WeakMap, which has no string keys", "a Map"],
  [new Set(), "an object of the class Set", DEFAULT],
  [[], "an object of the class Array", DEFAULT],
  [{}, "an object of the class Object", DEFAULT],
  [
    { fetch() {}, send() {} },
    "an object of the class Object with the methods fetch, send",
    DEFAULT,
  ],
  [Object.create(null), "an object of the class undefined", DEFAULT],
  [new Date(), "an object of the class Date", DEFAULT],
  [new URL("ftp://user:secret@host/"), "an object of the class URL", DEFAULT],
];

for (const [input, given, advice] of GIVEN) {
  it(`rejects ${typeof input === "string" ? JSON.stringify(input) : given} with advice`, () => {
    let error: unknown;
    try {
      kv(input as never);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(KvError);
    const { code, message } = error as KvError;
    expect(code).toBe("KV_UNKNOWN_CLIENT");
    expect(message).toContain(`kv() does not recognise ${given}`);
    expect(message).toContain(`as a client: pass ${advice}`);
    expect(message).not.toContain("secret");
  });
}
