import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, globSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { launchChromium, WHOLE_CHROMIUM } from "./chromium.ts";
import { freePorts, listens, until } from "./daemon.ts";

/** One tab of a browser. Functions run in the page; what they use of the test goes in as JSON. */
export interface EnginePage {
  evaluate<T, A = undefined>(work: (arg: A) => T | Promise<T>, arg?: A): Promise<T>;
  goto(url: string): Promise<void>;
  close(): Promise<void>;
}

/** A browser with tabs on one profile. */
export interface Engine {
  readonly name: EngineName;
  open(url: string): Promise<EnginePage>;
  /** The processes that the browser has started, with their command lines. */
  processes(): readonly { readonly pid: number; readonly command: string }[];
  close(): Promise<void>;
}

export type EngineName = "Chromium" | "Firefox" | "WebKit";

const firefoxPath = process.env.FIREFOX ?? "/usr/bin/firefox-esr";
const driverPath = process.env.WEBKIT_DRIVER ?? "/usr/bin/WebKitWebDriver";
const miniBrowser = (): string | undefined =>
  process.env.WEBKIT_BROWSER ?? globSync("/usr/lib/*/webkit2gtk-4.1/MiniBrowser")[0];
const displayPath = process.env.XVFB ?? "/usr/bin/Xvfb";

/** What this machine lacks to run an engine, with the Debian package; `undefined` for nothing. */
export function missingFor(name: EngineName): string | undefined {
  if (name === "Chromium")
    return existsSync(WHOLE_CHROMIUM.executablePath) ? undefined : "chromium";
  if (name === "Firefox") return existsSync(firefoxPath) ? undefined : "firefox-esr";
  const isThere = existsSync(driverPath) && miniBrowser() !== undefined && existsSync(displayPath);
  return isThere ? undefined : "webkit2gtk-driver xvfb";
}

/** A function and its argument as one expression. */
const expression = (work: (arg: never) => unknown, arg: unknown): string =>
  `(${String(work)})(${JSON.stringify(arg) ?? "undefined"})`;

/** The processes below one, as Linux tells it. */
function processesBelow(root: number): { pid: number; command: string }[] {
  const found: { pid: number; parent: number; command: string }[] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "latin1");
      const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
      const command = readFileSync(`/proc/${name}/cmdline`, "latin1").replaceAll("\0", " ");
      found.push({ pid: Number(name), parent, command });
    } catch {
      // It has ended.
    }
  }
  const below = new Set([root]);
  for (let size = 0; size !== below.size;) {
    size = below.size;
    for (const { pid, parent } of found) if (below.has(parent)) below.add(pid);
  }
  return found.filter(({ pid }) => below.has(pid) && pid !== root);
}

/** A page of Playwright or Puppeteer. */
const pageOf = (page: {
  evaluate(code: string): Promise<unknown>;
  goto(url: string): Promise<unknown>;
  close(): Promise<void>;
}): EnginePage => ({
  evaluate: (work, arg) => page.evaluate(expression(work as never, arg)) as never,
  goto: async (url) => void (await page.goto(url)),
  close: () => page.close(),
});

async function openChromium(): Promise<Engine> {
  const browser = await launchChromium(WHOLE_CHROMIUM);
  const context = await browser.newContext();
  return {
    name: "Chromium",
    async open(url) {
      const page = await context.newPage();
      await page.goto(url);
      return pageOf(page);
    },
    processes: () => processesBelow(process.pid).filter(({ command }) => /chrom/.test(command)),
    close: () => browser.close(),
  };
}

async function openFirefox(): Promise<Engine> {
  const { launch } = await import("puppeteer-core");
  const browser = await launch({
    browser: "firefox",
    executablePath: firefoxPath,
    headless: true,
    protocolTimeout: 240_000,
    timeout: 240_000,
  });
  return {
    name: "Firefox",
    async open(url) {
      const page = await browser.newPage();
      await page.goto(url);
      return pageOf(page);
    },
    processes: () => processesBelow(browser.process()!.pid!),
    close: () => browser.close(),
  };
}

/** Calls WebDriver. @throws with what it answered when that is an error. */
async function call<T>(url: string, method: string, body?: unknown): Promise<T> {
  const response = await fetch(url, {
    method,
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const { value } = (await response.json()) as { value: T };
  if (!response.ok) throw new Error(`${method} ${url}: ${JSON.stringify(value)}`);
  return value;
}

const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

function start(command: string, args: readonly string[], env: NodeJS.ProcessEnv): ChildProcess {
  const child = spawn(command, args, { stdio: "ignore", env: { ...process.env, ...env } });
  running.add(child);
  child.once("exit", () => running.delete(child));
  return child;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}

/** A screen and a home for WebKit, with nothing of another run. */
async function webKitHome(): Promise<{ readonly env: NodeJS.ProcessEnv; close(): Promise<void> }> {
  const home = mkdtempSync(path.join(tmpdir(), "anykv-webkit-"));
  const [display] = await freePorts(1);
  const screen = start(displayPath, [`:${display}`, "-screen", "0", "1024x768x24"], {});
  await until("the screen is there", () => existsSync(`/tmp/.X11-unix/X${display}`));
  const env = {
    DISPLAY: `:${display}`,
    HOME: home,
    XDG_RUNTIME_DIR: home,
    XDG_DATA_HOME: path.join(home, "data"),
    XDG_CACHE_HOME: path.join(home, "cache"),
    LIBGL_ALWAYS_SOFTWARE: "1",
    WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: "1",
    WEBKIT_DISABLE_COMPOSITING_MODE: "1",
  };
  const close = async (): Promise<void> => {
    await end(screen);
    rmSync(home, { recursive: true, force: true });
  };
  return { env, close };
}

/** Kills a process. One that has ended by itself meanwhile is no error. */
function killIfRunning(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Ends a program and all that it has started. */
async function endAll(child: ChildProcess): Promise<void> {
  for (const { pid } of processesBelow(child.pid!)) killIfRunning(pid);
  await end(child);
}

/**
 * WebKit with one page, which keeps its data on the disk. A session of WebDriver keeps it in
 * memory.
 */
export async function showInWebKit(url: string): Promise<Pick<Engine, "processes" | "close">> {
  const { env, close } = await webKitHome();
  const browser = start(miniBrowser()!, [url], env);
  return {
    processes: () => processesBelow(browser.pid!),
    async close() {
      await endAll(browser);
      await close();
    },
  };
}

async function openWebKit(): Promise<Engine> {
  const { env, close } = await webKitHome();
  const [port] = (await freePorts(1)) as [number];
  const driver = start(driverPath, [`--port=${port}`], env);
  await until("WebKitWebDriver listens", () => listens(port));
  const { sessionId } = await call<{ sessionId: string }>(
    `http://127.0.0.1:${port}/session`,
    "POST",
    {
      capabilities: {
        alwaysMatch: {
          "webkitgtk:browserOptions": { binary: miniBrowser(), args: ["--automation"] },
          timeouts: { script: 240_000, pageLoad: 240_000 },
        },
      },
    },
  );
  const session = `http://127.0.0.1:${port}/session/${sessionId}`;
  // One command at a time: each is for the window that was chosen before.
  let last: Promise<unknown> = Promise.resolve();
  const inWindow = <T>(handle: string, work: () => Promise<T>): Promise<T> => {
    const result = last.then(async () => {
      await call(`${session}/window`, "POST", { handle });
      return work();
    });
    last = result.catch(() => {});
    return result;
  };
  // Never closed: a new one is opened from a window that is there.
  const first = await call<string>(`${session}/window`, "GET");
  return {
    name: "WebKit",
    async open(url) {
      const { handle } = await inWindow(first, () =>
        call<{ handle: string }>(`${session}/window/new`, "POST", { type: "tab" }),
      );
      const goto = (next: string): Promise<void> =>
        inWindow(handle, () => call(`${session}/url`, "POST", { url: next }));
      await goto(url);
      return {
        async evaluate(work, arg) {
          // Started here and asked for later, so that other tabs are not held up meanwhile.
          const id = `result${Math.random()}`;
          const script = `const settle = (name) => (value) =>
              (globalThis[${JSON.stringify(id)}] = { [name]: value });
            Promise.resolve().then(() => ${expression(work as never, arg)})
              .then(settle("value"), (error) => settle("error")(String(error?.stack ?? error)))`;
          const run = <T>(code: string): Promise<T> =>
            inWindow(handle, () =>
              call<T>(`${session}/execute/sync`, "POST", { script: code, args: [] }),
            );
          await run(script);
          let outcome: { value?: unknown; error?: string } | null = null;
          await until("the page answers", async () => {
            outcome = await run(`return globalThis[${JSON.stringify(id)}] ?? null`);
            return outcome !== null;
          });
          const { value, error } = outcome! as { value?: unknown; error?: string };
          if (error !== undefined) throw new Error(error);
          return (value ?? null) as never;
        },
        goto,
        close: () => inWindow(handle, () => call(`${session}/window`, "DELETE")),
      };
    },
    processes: () => processesBelow(driver.pid!),
    async close() {
      await call(session, "DELETE").catch(() => {});
      await endAll(driver);
      await close();
    },
  };
}

const OPEN: { readonly [name in EngineName]: () => Promise<Engine> } = {
  Chromium: openChromium,
  Firefox: openFirefox,
  WebKit: openWebKit,
};

/** Starts a browser with an empty profile. */
export const openEngine = (name: EngineName): Promise<Engine> => OPEN[name]();
