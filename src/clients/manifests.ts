import type { StoreType, Supports } from "../types.ts";
import { hasMethods } from "../platform/shape.ts";

/** The properties of a kind of client before its adapter is loaded. */
export interface Manifest {
  /** The name that `store.type` shows. A client of one's own may have another. */
  readonly type: string;
  /** Its capabilities; a function where they depend on the client or its options. */
  readonly supports: Supports | ((client: unknown, options?: object) => Supports);
  /**
   * Whether it tells of errors by events, which end the process where there is no listener. Default
   * `false`.
   */
  readonly events?: boolean;
  /**
   * Whether something is a client of this kind: told by its shape alone, so that it works across
   * realms.
   */
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
  bytes: false,
  watch: "polled",
};

/** Capabilities with the documented defaults filled in. */
export function supports(declared: Partial<Supports>): Supports {
  return Object.freeze({ ...DEFAULTS, ...declared });
}

/** The text of a string or of a URL object. */
const url = (input: unknown): string =>
  typeof input === "string" ? input : String((input as Partial<URL> | null)?.href);

/** How changes are found: reported where the runtime has the global of this name. */
const reported = (name: string): Supports["watch"] => (name in globalThis ? "native" : "polled");

/** A kind of client, told by its methods or by a test of its own. */
const kind = (
  type: StoreType,
  test: string | Manifest["test"],
  declared: Partial<Supports>,
): Manifest => ({
  type,
  supports: supports(declared),
  test: typeof test === "string" ? (input) => hasMethods(input, ...test.split(" ")) : test,
});

const emitting = (...of: Parameters<typeof kind>): Manifest => ({ ...kind(...of), events: true });

export const MEMORY: Manifest = kind(
  "MEMORY",
  (input) => input === undefined || Object.prototype.toString.call(input) === "[object Map]",
  {
    order: true,
    atomic: "process",
    persistent: false,
    bytes: true,
    watch: "native",
  },
);

export const STORAGE: Manifest = kind(
  "STORAGE",
  (input) =>
    hasMethods(input, "getItem", "setItem", "removeItem") &&
    typeof (input as Storage).length === "number",
  {
    atomic: "process",
    watch: reported("StorageEvent"),
  },
);

export const COOKIE: Manifest = kind("COOKIE", (input) => input === "cookie", {
  expires: "native",
  atomic: "process",
  watch: reported("cookieStore"),
  keyBytes: 512,
  valueBytes: 4096,
});

export const FORAGE: Manifest = kind("FORAGE", "getItem setItem ready driver", {
  atomic: "process",
  watch: reported("BroadcastChannel"),
});

export const INDEXEDDB: Manifest = kind(
  "INDEXEDDB",
  (input) => hasMethods(input, "deleteDatabase", "cmp") || url(input).startsWith("indexeddb://"),
  {
    order: true,
    atomic: "yes",
    watch: reported("BroadcastChannel"),
    bytes: true,
  },
);

export const FILE: Manifest = kind("FILE", (input) => /^file:.*[^/]$/.test(url(input)), {
  order: true,
  atomic: "yes",
  watch: "native",
});

export const FOLDER: Manifest = kind("FOLDER", (input) => /^file:.*\/$/.test(url(input)), {
  atomic: "yes",
  watch: "native",
});

// The keys of a server have a limit, for a value not to be hidden in one.
export const HTTP: Manifest = kind("HTTP", (input) => /^https?:\/\//i.test(url(input)), {
  expires: "native",
  order: true,
  atomic: "yes",
  watch: "native",
  keyBytes: 2048,
});

export const LEVEL: Manifest = kind("LEVEL", "put batch iterator sublevel", {
  order: true,
  atomic: "process",
  watch: "native",
});

export const SQLITE: Manifest = kind("SQLITE", "prepare exec close", {
  order: true,
  atomic: "yes",
  watch: "native",
  bytes: true,
});

export const POSTGRES: Manifest = emitting(
  "POSTGRES",
  (input) =>
    hasMethods(input, "query") &&
    (hasMethods(input, "escapeLiteral") ||
      hasMethods(input, "exec", "transaction", "listen") ||
      (hasMethods(input, "connect", "end") && "idleCount" in (input as object))),
  {
    order: true,
    atomic: "yes",
    watch: "native",
    // An index takes 2,704 bytes of a key; U+0000 and U+0001 take two each.
    keyBytes: 1300,
  },
);

export const REDIS: Manifest = emitting(
  "REDIS",
  (input) =>
    hasMethods(input, "get", "set", "sendCommand") &&
    (hasMethods(input, "mGet") || hasMethods(input, "mget")),
  {
    expires: "native",
    atomic: "yes",
    valueBytes: 512 * 1024 * 1024,
    watch: "native",
  },
);

export const ETCD: Manifest = kind("ETCD", "getAll put delete namespace", {
  expires: "native",
  order: true,
  atomic: "yes",
  watch: "native",
  valueBytes: 1.5 * 1024 * 1024,
});

// It lists in order, but goes on only from where it stopped by itself: a page behind any other key
// costs a walk over the keys before it.
export const CLOUDFLARE: Manifest = kind("CLOUDFLARE", "get put delete list getWithMetadata", {
  expires: "native",
  keyBytes: 512,
  valueBytes: 25 * 1024 * 1024,
});

export const DENO: Manifest = kind("DENO", "get getMany set delete list atomic", {
  expires: "native",
  order: true,
  atomic: "yes",
  keyBytes: 1000,
  valueBytes: 64 * 1024,
});

export const LRU: Manifest = {
  ...kind("LRU", "get set delete peek purgeStale", {}),
  supports: (client) => {
    const { maxEntrySize, sizeCalculation } = client as {
      maxEntrySize?: number;
      sizeCalculation?: unknown;
    };
    // The unit of a sizeCalculation is unknown.
    const valueBytes =
      sizeCalculation === undefined && maxEntrySize! > 0 ? maxEntrySize! : Infinity;
    return supports({
      order: true,
      atomic: "process",
      persistent: false,
      valueBytes,
      bytes: true,
      watch: "native",
    });
  },
};

export const UNSTORAGE: Manifest = kind("UNSTORAGE", "getItem setItem removeItem getKeys mount", {
  atomic: "process",
});

const isMap = (input: unknown): boolean => Object.prototype.toString.call(input) === "[object Map]";

export const KEYV: Manifest = {
  ...kind(
    "KEYV",
    (input) =>
      hasMethods(input, "get", "set", "delete", "clear", "disconnect") &&
      typeof (input as { store?: unknown }).store === "object",
    {},
  ),
  supports: (client) => {
    const { store } = client as { store: { store?: unknown } };
    // Keyv 6 wraps its argument.
    const inner = hasMethods(store.store, "get", "set") ? store.store : store;
    return supports({
      atomic: "process",
      persistent: !isMap(inner),
      iterate: hasMethods(inner, "iterator") || hasMethods(inner, "entries"),
    });
  },
};

/**
 * Whether a client of one's own drops expired values itself: `HAS_EXPIRATION` is polystore's newer
 * name.
 */
export function expiresItself(client: unknown): boolean {
  const { EXPIRES, HAS_EXPIRATION } = client as { EXPIRES?: unknown; HAS_EXPIRATION?: unknown };
  return EXPIRES === true || HAS_EXPIRATION === true;
}

export const CUSTOM: Manifest = {
  // The keys of a WeakMap are objects.
  ...kind(
    "CUSTOM",
    (input) =>
      hasMethods(input, "get", "set") &&
      Object.prototype.toString.call(input) !== "[object WeakMap]",
    {},
  ),
  supports: (client) => {
    const iterate = hasMethods(client, "iterate") || hasMethods(client, "entries");
    return supports(
      expiresItself(client) ? { expires: "native", iterate } : { atomic: "process", iterate },
    );
  },
};

/** The type and capabilities that a store shows. */
export function shown(
  { type, supports }: Manifest,
  client: unknown,
  options?: object,
): { type: string; supports: Supports } {
  const { TYPE } = Object(client) as { TYPE?: unknown };
  const isNamed = type === "CUSTOM" && typeof TYPE === "string" && TYPE !== "";
  return {
    type: isNamed ? TYPE : type,
    supports: typeof supports === "function" ? supports(client, options) : supports,
  };
}
