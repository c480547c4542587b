// The clients of a page in Chromium, for npm start.
import { existsSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { MissingProgramError } from "../test/support/daemon.ts";
import type { Client, Packages, Report } from "./tour.ts";

const root = path.join(import.meta.dirname, "..");

/** What examples/browser-page.ts puts into its page. */
interface Page {
  run(name: string, packages: Packages): Promise<Report>;
}

async function pageScript(): Promise<string> {
  const { build } = await import("esbuild");
  const { outputFiles } = await build({
    entryPoints: [path.join(root, "examples/browser-page.ts")],
    alias: { anykv: path.join(root, "dist/index.js") },
    external: ["node:*"],
    bundle: true,
    format: "esm",
    write: false,
    logLevel: "error",
  });
  return outputFiles[0]!.text;
}

/** Opens a page that runs the tour. Resolves to what runs it there, and how to close it. */
async function openPage(): Promise<{ run: Page["run"]; close(): Promise<void> }> {
  const { CHROMIUM, launchChromium } = await import("../test/support/chromium.ts");
  if (!existsSync(CHROMIUM.executablePath)) throw new MissingProgramError("chromium", "CHROMIUM");
  const script = await pageScript();
  const server = createServer((request, response) => {
    const isScript = request.url === "/page.js";
    response.setHeader("content-type", isScript ? "text/javascript" : "text/html");
    response.end(
      isScript ? script : '<!doctype html><script type="module" src="/page.js"></script>',
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const browser = await launchChromium();
  const page = await browser.newPage();
  await page.goto(`http://localhost:${(server.address() as AddressInfo).port}/`);
  await page.waitForFunction(() => "run" in globalThis);
  return {
    run: (name, packages) =>
      page.evaluate(
        ([name, packages]) =>
          (globalThis as unknown as Page).run(name, JSON.parse(packages) as Packages),
        [name, JSON.stringify(packages)] as const,
      ),
    async close() {
      await browser.close();
      server.close();
    },
  };
}

const names = [
  "localStorage (Chromium)",
  "cookies (Chromium)",
  "localForage (Chromium)",
  "IndexedDB (Chromium)",
];

let opening: ReturnType<typeof openPage> | undefined;

/** Closes the page, if there is one. */
export async function closePage(): Promise<void> {
  const opened = await opening?.catch(() => undefined);
  await opened?.close();
}

export const chromium: readonly Client[] = names.map((name) => ({
  name,
  async tour(packages) {
    const { run } = await (opening ??= openPage());
    return run(name, packages);
  },
}));
