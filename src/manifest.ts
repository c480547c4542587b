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

const url = (input: unknown): string | undefined =>
  typeof input === "string" ? input : hasMethods(input, "toJSON") && typeof (input as URL).href === "string" ? (input as URL).href : undefined;

export const MEMORY: Manifest = {
  type: "MEMORY",
  supports: supports({ atomic: "process", persistent: false }),
  test: (input) => input === undefined || Object.prototype.toString.call(input) === "[object Map]",
};

export const STORAGE: Manifest = {
  type: "STORAGE",
  supports: supports({ atomic: "process" }),
  test: (input) => hasMethods(input, "getItem", "setItem", "removeItem", "key") && typeof (input as Storage).length === "number",
};

export const COOKIE: Manifest = {
  type: "COOKIE",
  supports: supports({ expires: "native", atomic: "process", keyBytes: 512, valueBytes: 4096 }),
  test: (input) => input === "cookie",
};

export const CUSTOM: Manifest = {
  type: "CUSTOM",
  supports: (client) => {
    const iterate = hasMethods(client, "iterate") || hasMethods(client, "entries");
    return supports((client as { EXPIRES?: boolean }).EXPIRES ? { expires: "native", iterate } : { atomic: "process", iterate });
  },
  test: (input) => hasMethods(input, "get", "set"),
};

export const FORAGE: Manifest = {
  type: "FORAGE",
  supports: supports({ atomic: "process" }),
  test: (input) => hasMethods(input, "getItem", "setItem", "removeItem", "keys", "ready", "driver"),
};

export const INDEXEDDB: Manifest = {
  type: "INDEXEDDB",
  supports: supports({ order: true, atomic: "yes" }),
  test: (input) => hasMethods(input, "open", "deleteDatabase", "cmp") || /^indexeddb:\/\//.test(url(input) ?? ""),
};

export const FILE: Manifest = {
  type: "FILE",
  supports: supports({ order: true, atomic: "yes" }),
  test: (input) => /^file:.*[^/]$/.test(url(input) ?? ""),
};

export const FOLDER: Manifest = {
  type: "FOLDER",
  supports: supports({ atomic: "yes" }),
  test: (input) => /^file:.*\/$/.test(url(input) ?? ""),
};

export const LEVEL: Manifest = {
  type: "LEVEL",
  supports: supports({ order: true, atomic: "process" }),
  test: (input) => hasMethods(input, "get", "put", "batch", "iterator", "open", "sublevel"),
};

export const SQLITE: Manifest = {
  type: "SQLITE",
  supports: supports({ order: true, atomic: "yes" }),
  test: (input) => hasMethods(input, "prepare", "exec", "close"),
};
