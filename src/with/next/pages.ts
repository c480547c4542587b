import type { Store } from "../../api.ts";
import { type NextOptions, openNext, type OpenNext } from "./options.ts";
import { nextKey, now, YEAR } from "./tags.ts";
import { decodeNext, encodeNext } from "./values.ts";

/** What Next.js passes to the constructor of a handler. */
export interface NextContext {
  readonly serverDistDir?: string | undefined;
  readonly fs?: { readFile(path: string, encoding: "utf8"): Promise<string> } | undefined;
}

interface CacheControl {
  readonly revalidate?: number | false | undefined;
  readonly expire?: number | undefined;
}

/** What Next.js passes with a key. */
export interface NextKeyContext {
  readonly kind?: string | undefined;
  readonly fetchCache?: boolean | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly softTags?: readonly string[] | undefined;
  readonly cacheControl?: CacheControl | undefined;
}

/** A page or an answer of `fetch`. */
export interface NextPage<V = unknown> {
  value: V;
  lastModified: number;
  cacheControl?: CacheControl;
}

/** The `cacheHandler` of Next.js. */
export interface NextPageHandler {
  // Next.js knows more precise types of values than a store can.
  get(key: string, context: NextKeyContext): Promise<NextPage<never> | null>;
  set(key: string, value: unknown, context: NextKeyContext): Promise<void>;
  revalidateTag(tags: string | string[], durations?: { expire?: number }): Promise<void>;
  resetRequestCache(): void;
}

interface StoredPage {
  readonly value: unknown;
  readonly lastModified: number;
  readonly tags: readonly string[];
  readonly cacheControl?: CacheControl | undefined;
}

/** The tags that Next.js keeps in the headers of a page, or in the value of a `fetch`. */
function tagsOf(value: unknown): string[] {
  const { headers, tags } = Object(value) as {
    headers?: { readonly [name: string]: unknown };
    tags?: string[];
  };
  const listed = headers?.["x-next-cache-tags"];
  return [...(tags ?? []), ...(typeof listed === "string" ? listed.split(",") : [])];
}

/** Pages belong to a build: they name its scripts. `null` while the build is not done. */
async function buildOf({ serverDistDir, fs }: NextContext): Promise<string | null> {
  if (serverDistDir === undefined || fs === undefined) return "";
  return fs.readFile(`${serverDistDir}/../BUILD_ID`, "utf8").catch(() => null);
}

class Pages {
  readonly #next: OpenNext;
  readonly #pages: Store;
  readonly #context: NextContext;
  #build: Promise<string | null> | undefined;

  constructor(next: OpenNext, context: NextContext) {
    this.#next = next;
    this.#pages = next.base.prefix("p:");
    this.#context = context;
  }

  async #keyOf(key: string, isFetch: boolean): Promise<string | null> {
    if (isFetch) return nextKey(`fetch ${key}`);
    const build = await (this.#build ??= buildOf(this.#context));
    return build === null ? null : nextKey(`${build} ${key}`);
  }

  async find(key: string, { kind, tags = [], softTags = [] }: NextKeyContext) {
    const isFetch = kind === "FETCH";
    const stored = await this.#keyOf(key, isFetch);
    const page = stored && ((await this.#pages.get(stored)) as StoredPage | null);
    if (!page) return null;
    const all = [...page.tags, ...(isFetch ? [...tags, ...softTags] : [])];
    const state = await this.#next.tags.look(all, page.lastModified);
    if (state === "absent") return null;
    return {
      value: decodeNext(page.value) as never,
      // -1 is how a handler says that Next.js has to render again.
      lastModified: state === "stale" ? -1 : page.lastModified,
      ...(page.cacheControl && { cacheControl: page.cacheControl }),
    };
  }

  async keep(key: string, value: unknown, context: NextKeyContext, at: number): Promise<void> {
    const { fetchCache = false, tags = [], cacheControl } = context;
    const left = cacheControl?.expire === undefined ? YEAR : cacheControl.expire * 1000;
    const page: StoredPage = {
      value: encodeNext(value),
      lastModified: at,
      tags: [...new Set([...tags, ...tagsOf(value)])],
      cacheControl,
    };
    const stored = await this.#keyOf(key, fetchCache);
    if (stored === null) return;
    await this.#pages.set(stored, page, { expires: new Date(at + Math.min(left, YEAR)) });
  }
}

/**
 * A class for the `cacheHandler` of Next.js: rendered pages (ISR) and answers of `fetch`.
 *
 * Pages are kept for each build, answers of `fetch` across builds. Revalidated tags and paths count
 * in every process. A read that fails is a miss, and a write that fails is left out; both go to
 * `onError`. A revalidation that fails rejects.
 *
 * @throws {KvError} KV_NOT_SUPPORTED where `supports.atomic` is `"no"`; KV_INVALID_CLIENT for
 * anything but a store; KV_INVALID_VALUE for wrong or unknown options.
 * @example
 * import kv from "anykv";
 * import { nextCacheHandler } from "anykv/with/next";
 *
 * const CacheHandler = nextCacheHandler(kv(new Map()), { prefix: "next:" });
 * const handler = new CacheHandler({});
 * const page = { kind: "APP_ROUTE", body: Buffer.from("hello"), headers: {}, status: 200 };
 * await handler.set("/", page, { cacheControl: { revalidate: 60, expire: 3600 } });
 * console.log((await handler.get("/", { kind: "APP_ROUTE" })).value.body.toString()); // hello
 */
export function nextCacheHandler(
  store: Store,
  options: NextOptions = {},
): new (context: NextContext) => NextPageHandler {
  const next = openNext(store, options, "nextCacheHandler()");
  return class CacheHandler implements NextPageHandler {
    readonly #pages: Pages;

    constructor(context: NextContext) {
      this.#pages = new Pages(next, context);
    }
    get(key: string, context: NextKeyContext): Promise<NextPage<never> | null> {
      return this.#pages.find(key, context).catch((error) => {
        next.onError(error);
        return null;
      });
    }
    set(key: string, value: unknown, context: NextKeyContext): Promise<void> {
      return this.#pages.keep(key, value, context, now()).catch(next.onError);
    }
    revalidateTag(tags: string | string[], durations?: { expire?: number }): Promise<void> {
      return next.tags.revalidate([tags].flat(), durations);
    }
    resetRequestCache(): void {
      // Nothing is kept for a request.
    }
  };
}
