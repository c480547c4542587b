import { isSource, type Source } from "./clients/define.ts";
import { memory } from "./clients/memory.ts";
import { storage } from "./clients/storage.ts";
import { KvError } from "./errors.ts";
import { listenTo } from "./listener.ts";
import * as kinds from "./manifest.ts";
import { unknownClient } from "./unknown-client.ts";

type Factory = (client: never) => Source;

// Web Storage needs nothing else and is part of the entry; every other client is loaded by the
// first operation on one.
const CLIENTS: readonly [kinds.Manifest, Factory | (() => Promise<Factory>)][] = [
  [kinds.MEMORY, memory],
  [kinds.STORAGE, storage],
  [kinds.COOKIE, async () => (await import("./clients/cookie.ts")).cookie],
  [kinds.FORAGE, async () => (await import("./clients/forage.ts")).forage],
  [kinds.INDEXEDDB, async () => (await import("./clients/indexeddb.ts")).indexeddb],
  [kinds.FILE, async () => (await import("./clients/file.ts")).file],
  [kinds.FOLDER, async () => (await import("./clients/folder.ts")).folder],
  [kinds.HTTP, async () => (await import("./clients/http.ts")).http],
  [kinds.LEVEL, async () => (await import("./clients/level.ts")).level],
  [kinds.SQLITE, async () => (await import("./clients/sqlite.ts")).sqlite],
  [kinds.POSTGRES, async () => (await import("./clients/postgres.ts")).postgres],
  [kinds.REDIS, async () => (await import("./clients/redis.ts")).redis],
  [kinds.ETCD, async () => (await import("./clients/etcd.ts")).etcd],
  [kinds.CLOUDFLARE, async () => (await import("./clients/cloudflare.ts")).cloudflare],
  [kinds.DENO, async () => (await import("./clients/deno.ts")).deno],
  [kinds.LRU, async () => (await import("./clients/lru.ts")).lru],
  [kinds.KEYV, async () => (await import("./clients/keyv.ts")).keyv],
  [kinds.UNSTORAGE, async () => (await import("./clients/unstorage.ts")).unstorage],
  [kinds.CUSTOM, async () => (await import("./clients/custom.ts")).custom],
];

/**
 * Tells what kind of client something is, by its shape.
 *
 * @throws {KvError} KV_UNKNOWN_CLIENT with what was passed and what is accepted.
 */
export function detect(input: unknown): Source {
  if (isSource(input)) return input;
  if (typeof input === "function" && kinds.hasMethods(input.prototype, "get", "set"))
    return detect(instanceOf(input as new () => unknown));
  // A client of one's own says what it is: nothing else that it has may make it look like another
  // kind.
  const own = kinds.hasMethods(input, "get", "set", "iterate");
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
