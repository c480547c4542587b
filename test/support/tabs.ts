import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { build, type Plugin } from "esbuild";
import type { BrowserContext, Page } from "playwright";
import { compile } from "svelte/compiler";
import { launchChromium } from "./chromium.ts";

/**
 * Real tabs of one browser on one origin, in which `kv`, `indexeddb` and `localforage` are global.
 */
export interface Tabs {
  readonly context: BrowserContext;
  readonly origin: string;
  /** A new tab at a path of the origin, or at any URL. */
  open(url?: string): Promise<Page>;
  /** Closes all tabs and forgets what they stored. */
  renew(): Promise<void>;
  close(): Promise<void>;
}

const root = path.join(import.meta.dirname, "../..");

/** What tabs load unless they are to load something else. */
const CLIENTS = `
  import kv from "./src/index.ts";
  import { indexeddb } from "./src/clients/indexeddb/index.ts";
  import localforage from "localforage";
  Object.assign(globalThis, { kv, indexeddb, localforage });`;

const svelte: Plugin = {
  name: "svelte",
  setup: ({ onLoad }) =>
    onLoad({ filter: /\.svelte$/ }, ({ path: filename }) => ({
      contents: compile(readFileSync(filename, "utf8"), { filename, generate: "client" }).js.code,
    })),
};

async function bundle(contents: string): Promise<Map<string, string>> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: root },
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "browser",
    external: ["node:*"],
    plugins: [svelte],
    define: {
      __VUE_OPTIONS_API__: "true",
      __VUE_PROD_DEVTOOLS__: "false",
      __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: "false",
    },
    outdir: "/",
    write: false,
    logLevel: "error",
  });
  return new Map(outputFiles.map((file) => [`/${path.basename(file.path)}`, file.text]));
}

type Answer = (url: URL) => {
  readonly headers: { readonly [name: string]: string | string[] };
  readonly body: string;
};

/** A page on an origin of its own, which loads a program. */
export interface ServedPage {
  readonly origin: string;
  readonly answer: Answer;
  close(): void;
}

/**
 * Serves a page. The program that it loads is given by its text, in which paths begin at the root
 * of the repository. `/hidden?n=3` sets three cookies that scripts do not see.
 */
export async function servePage(contents: string = CLIENTS): Promise<ServedPage> {
  const files = await bundle(contents);
  const answer: Answer = (url) => {
    const script = files.get(url.pathname);
    if (script !== undefined)
      return {
        headers: { "content-type": "text/javascript", "access-control-allow-origin": "*" },
        body: script,
      };
    const headers = { "content-type": "text/html" };
    const hidden = Number(url.pathname === "/hidden" ? url.searchParams.get("n") : 0);
    const cookies = Array.from(
      { length: hidden },
      (_, i) => `hidden${i}=secret; HttpOnly; Path=/; Max-Age=10000`,
    );
    return {
      headers: hidden > 0 ? { ...headers, "set-cookie": cookies } : headers,
      body:
        '<!doctype html><link rel="icon" href="data:,"><script type="module" ' +
        'src="/stdin.js"></script>',
    };
  };
  const server = createServer((request, response) => {
    const { headers, body } = answer(new URL(request.url!, "http://localhost"));
    response.writeHead(200, headers).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const origin = `http://localhost:${(server.address() as AddressInfo).port}`;
  return { origin, answer, close: () => void server.close() };
}

/**
 * Starts Chromium on a served page, which has to make `kv` global. A host of https is served by
 * interception.
 */
export async function openTabs(contents?: string): Promise<Tabs> {
  const { origin, answer, close } = await servePage(contents);
  const browser = await launchChromium();
  async function profile(): Promise<BrowserContext> {
    const context = await browser.newContext();
    await context.route(/^https:/, (route) => {
      const { headers, body } = answer(new URL(route.request().url()));
      return route.fulfill({ headers: headers as { [name: string]: string }, body });
    });
    return context;
  }
  let context = await profile();
  return {
    get context() {
      return context;
    },
    origin,
    async open(url = "/") {
      const page = await context.newPage();
      await page.goto(new URL(url, origin).href);
      await page.waitForFunction("globalThis.kv !== undefined");
      return page;
    },
    async renew() {
      await context.close();
      context = await profile();
    },
    async close() {
      await browser.close();
      close();
    },
  };
}
