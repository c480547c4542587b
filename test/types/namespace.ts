// Compiled by the type-check alone: every line under @ts-expect-error must not compile, every other
// line must.
import type { KVNamespace } from "@cloudflare/workers-types";
import kv from "anykv";
import {
  createKV,
  KV,
  type KVNamespaces,
  type KeyPage,
  type ListedKey,
  type Namespace,
  namespace,
  type ValueWithMetadata,
} from "anykv/namespace";

interface Post {
  title: string;
}
interface Meta {
  author: string;
}

type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(..._proof: Same<A, B> extends true ? [] : [never]): void => {};

/** A program for Workers. */
async function worker(env: { KV: KVNamespace }): Promise<Post | null> {
  await env.KV.put("a", "v", { expirationTtl: 60, metadata: { author: "ann" } });
  return env.KV.get<Post>("a", "json");
}

export async function reads(posts: Namespace): Promise<void> {
  await worker({ KV: posts });
  const binding: KVNamespace = KV.namespace("posts");
  await binding.get("a");

  same<Awaited<ReturnType<typeof posts.delete>>, void>();
  const text = await posts.get("a");
  same<typeof text, string | null>();
  const also = await posts.get("a", { cacheTtl: 60 });
  same<typeof also, string | null>();
  const asText = await posts.get("a", { type: "text" });
  same<typeof asText, string | null>();
  const post = await posts.get<Post>("a", "json");
  same<typeof post, Post | null>();
  const unknown = await posts.get("a", { type: "json", cacheTtl: 60 });
  same<typeof unknown, unknown>();
  const bytes = await posts.get("a", "arrayBuffer");
  same<typeof bytes, ArrayBuffer | null>();
  const stream = await posts.get("a", "stream");
  same<typeof stream, ReadableStream<Uint8Array> | null>();
  const many = await posts.get(["a", "b"] as const);
  same<typeof many, Map<string, string | null>>();
  const posted = await posts.get<Post>(["a"], "json");
  same<typeof posted, Map<string, Post | null>>();

  const found = await posts.getWithMetadata<Meta>("a");
  same<typeof found, ValueWithMetadata<string, Meta>>();
  same<typeof found.expiration, number | null>();
  const { value, metadata } = await posts.getWithMetadata<Post, Meta>("a", { type: "json" });
  same<typeof value, Post | null>();
  same<typeof metadata, Meta | null>();
  const buffer = await posts.getWithMetadata<Meta>("a", "arrayBuffer");
  same<typeof buffer, ValueWithMetadata<ArrayBuffer, Meta>>();
  const all = await posts.getWithMetadata<Meta>(["a"]);
  same<typeof all, Map<string, ValueWithMetadata<string, Meta>>>();

  // @ts-expect-error no such type
  await posts.get("a", "xml");
  // @ts-expect-error many at once are texts or JSON
  await posts.get(["a"], "stream");
  // @ts-expect-error a key is a text
  await posts.get(5);
}

export async function writes(posts: Namespace): Promise<void> {
  await posts.put("a", "v", {
    expiration: null,
    expirationTtl: undefined,
    metadata: { author: "ann" },
  });
  for (const each of [
    new Uint8Array(),
    new ArrayBuffer(1),
    new Blob([]).stream(),
    new DataView(new ArrayBuffer(1)),
    { title: "a" },
    ["a"],
    5,
    true,
  ])
    await posts.put("a", each);
  // @ts-expect-error delete() removes
  await posts.put("a", null);
  // @ts-expect-error seconds are a number
  await posts.put("a", "v", { expirationTtl: "1h" });
  // @ts-expect-error no such option
  await posts.put("a", "v", { expires: "1h" });
}

export async function lists(): Promise<void> {
  const own = createKV({ store: kv(new Map()), compat: "workers" });
  same<typeof own, KVNamespaces>();
  same<typeof own.storage, string>();
  const posts = namespace(kv<Post>(new Map()), "posts", { compat: "workers" });
  const page = await posts.list<Meta>({ prefix: "a", limit: 10, cursor: null });
  same<typeof page, KeyPage<Meta>>();
  same<typeof page.keys, ListedKey<Meta>[]>();
  if (page.list_complete) same<typeof page.cursor, undefined>();
  else await posts.list({ cursor: page.cursor });
  let cursor: string | undefined;
  do ({ cursor } = await posts.list({ cursor }));
  while (cursor !== undefined);
  await own.close();
  // @ts-expect-error where it is kept is only read
  own.storage = "";
  // @ts-expect-error no such rules
  namespace(kv(), "a", { compat: "luat" });
  // @ts-expect-error it is put over a store, not over a client
  namespace(new Map(), "a");
}
