import { isSource, type Source } from "./define.ts";
import { memory } from "./memory.ts";
import { storage } from "./storage/index.ts";
import { KvError } from "../errors.ts";
import { listenTo } from "../platform/error-listener.ts";
import { hasMethods } from "../platform/shape.ts";
import * as kinds from "./manifests.ts";
import { unknownClient } from "./unknown.ts";

type Factory = (client: never) => Source;

// Web Storage needs nothing else and is part of the entry; every other client is loaded by the
// first operation on one.
const CLIENTS: readonly [kinds.Manifest, Factory | (() => Promise<Factory>)][] = [
  [kinds.MEMORY, memory],
  [kinds.STORAGE, storage],
  [kinds.COOKIE, async () => (await import("./cookie/index.ts")).cookie],
  [kinds.FORAGE, async () => (await import("./forage/index.ts")).forage],
  [kinds.INDEXEDDB, async () => (await import("./indexeddb/index.ts")).indexeddb],
  [kinds.FILE, async () => (await import("./file/index.ts")).file],
  [kinds.FOLDER, async () => (await import("./folder/index.ts")).folder],
  [kinds.HTTP, async () => (await import("./http/index.ts")).http],
  [kinds.LEVEL, async () => (await import("./level/index.ts")).level],
  [kinds.SQLITE, async () => (await import("./sqlite/index.ts")).sqlite],
  [kinds.POSTGRES, async () => (await import("./postgres/index.ts")).postgres],
  [kinds.REDIS, async () => (await import("./redis/index.ts")).redis],
  [kinds.ETCD, async () => (await import("./etcd/index.ts")).etcd],
  [kinds.CLOUDFLARE, async () => (await import("./cloudflare/index.ts")).cloudflare],
  [kinds.DENO, async () => (await import("./deno/index.ts")).deno],
  [kinds.LRU, async () => (await import("./lru.ts")).lru],
  [kinds.KEYV, async () => (await import("./keyv/index.ts")).keyv],
  [kinds.UNSTORAGE, async () => (await import("./unstorage/index.ts")).unstorage],
  [kinds.CUSTOM, async () => (await import("./custom.ts")).custom],
];

/**
 * Finds the kind of a client by its shape.
 *
 * @throws {KvError} KV_UNKNOWN_CLIENT, which names the argument and the accepted clients.
 */
export function detect(input: unknown): Source {
  if (isSource(input)) return input;
  if (typeof input === "function" && hasMethods(input.prototype, "get", "set"))
    return detect(instanceOf(input as new () => unknown));
  // A custom client names itself as one: no other member may make it look like another kind.
  const own = hasMethods(input, "get", "set", "iterate");
  for (const [manifest, load] of CLIENTS) {
    if (own ? manifest !== kinds.CUSTOM : !manifest.test(input)) continue;
    if (manifest.events) listenTo(input);
    if (load === memory || load === storage) return (load as Factory)(input as never);
    let loaded: Source | undefined;
    const source = async (): Promise<Source> =>
      (loaded ??= (await (load as () => Promise<Factory>)())(input as never));
    return {
      ...kinds.shown(manifest, input),
      client: input,
      get address() {
        return loaded?.address;
      },
      open: async () => (await source()).open(),
      close: async () => (await source()).close?.() ?? false,
    };
  }
  throw unknownClient(input);
}

function instanceOf(Class: new () => unknown): unknown {
  try {
    return new Class();
  } catch (cause) {
    throw new KvError(
      "KV_INVALID_CLIENT",
      `the class ${JSON.stringify(Class.name)} cannot be made without arguments: pass an instance`,
      { client: "CUSTOM", cause },
    );
  }
}
