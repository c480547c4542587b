import type { Supports } from "./types.ts";

/** What is known of a kind of client before its adapter is loaded. */
export interface Manifest {
  /** The name that `store.type` shows. */
  readonly type: string;
  /** What it can do; a function where that depends on the client. */
  readonly supports: Supports | ((client: unknown) => Supports);
  /** Whether something is a client of this kind: told by its shape alone, so that it works across realms. */
  test(input: unknown): boolean;
}

const DEFAULTS: Supports = {
  expires: "layered",
  order: false,
  atomic: "no",
  keyBytes: Infinity,
  valueBytes: Infinity,
  persistent: true,
  iterate: true,
};

/** Capabilities with the documented defaults filled in. */
export function supports(declared: Partial<Supports>): Supports {
  return Object.freeze({ ...DEFAULTS, ...declared });
}

/** Whether something has all these methods, its own or inherited. */
export function hasMethods(input: unknown, ...names: string[]): boolean {
  const object = Object(input) as { [name: string]: unknown };
  return object === input && names.every((name) => typeof object[name] === "function");
}

/** The text of a string or of a URL object. */
const url = (input: unknown): string => (typeof input === "string" ? input : String((input as Partial<URL> | null)?.href));

/** A kind of client, told by its methods or by a test of its own. */
const kind = (type: string, test: string | Manifest["test"], declared: Partial<Supports>): Manifest => ({
  type,
  supports: supports(declared),
  test: typeof test === "string" ? (input) => hasMethods(input, ...test.split(" ")) : test,
});

export const MEMORY: Manifest = kind("MEMORY", (input) => input === undefined || Object.prototype.toString.call(input) === "[object Map]", {
  atomic: "process",
  persistent: false,
});

export const STORAGE: Manifest = kind("STORAGE", (input) => hasMethods(input, "getItem", "setItem", "removeItem") && typeof (input as Storage).length === "number", {
  atomic: "process",
});

export const COOKIE: Manifest = kind("COOKIE", (input) => input === "cookie", { expires: "native", atomic: "process", keyBytes: 512, valueBytes: 4096 });

export const FORAGE: Manifest = kind("FORAGE", "getItem setItem ready driver", { atomic: "process" });

export const INDEXEDDB: Manifest = kind("INDEXEDDB", (input) => hasMethods(input, "deleteDatabase", "cmp") || url(input).startsWith("indexeddb://"), {
  order: true,
  atomic: "yes",
});

export const FILE: Manifest = kind("FILE", (input) => /^file:.*[^/]$/.test(url(input)), { order: true, atomic: "yes" });

export const FOLDER: Manifest = kind("FOLDER", (input) => /^file:.*\/$/.test(url(input)), { atomic: "yes" });

export const LEVEL: Manifest = kind("LEVEL", "put batch iterator sublevel", { order: true, atomic: "process" });

export const SQLITE: Manifest = kind("SQLITE", "prepare exec close", { order: true, atomic: "yes" });

export const CUSTOM: Manifest = {
  ...kind("CUSTOM", "get set", {}),
  supports: (client) => {
    const iterate = hasMethods(client, "iterate") || hasMethods(client, "entries");
    return supports((client as { EXPIRES?: boolean }).EXPIRES === true ? { expires: "native", iterate } : { atomic: "process", iterate });
  },
};
