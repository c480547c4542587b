import { mkdtempSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import axe, { type AxeResults } from "axe-core";
import type { Browser, BrowserContext, Page } from "playwright";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from "vitest";
import { build, preview, type PreviewServer } from "vite";
import { launchChromium } from "../support/chromium.ts";

const configFile = path.join(import.meta.dirname, "../../examples/notes/vite.config.ts");
const folder = mkdtempSync(path.join(tmpdir(), "anykv-notes-"));

let server: PreviewServer;
let browser: Browser;
let context: BrowserContext;
let url: string;

beforeAll(async () => {
  // As a person builds it.
  vi.stubEnv("NODE_ENV", "production");
  await build({ configFile, logLevel: "error", build: { outDir: folder } });
  vi.unstubAllEnvs();
  server = await preview({
    configFile,
    logLevel: "error",
    build: { outDir: folder },
    preview: { port: 0, host: "127.0.0.1" },
  });
  url = `http://localhost:${(server.httpServer.address() as AddressInfo).port}/`;
  browser = await launchChromium();
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  context = await browser.newContext({ viewport: { width: 900, height: 620 } });
  context.setDefaultTimeout(8000);
});
afterEach(() => context.close());

async function open(): Promise<Page> {
  const page = await context.newPage();
  page.on("pageerror", (error) => {
    throw error;
  });
  await page.goto(url);
  await expect.poll(() => status(page)).toMatch(/kept in this browser/);
  return page;
}

const status = (page: Page): Promise<string> => page.getByRole("status").innerText();
const titles = (page: Page): Promise<string[]> =>
  page
    .getByLabel("Title", { exact: true })
    .evaluateAll((inputs) => inputs.map((input) => (input as HTMLInputElement).value));

/** As a person does: the new note has the focus, and Tab leads from the title to the text. */
async function write(page: Page, title: string, text: string): Promise<void> {
  const count = await page.getByLabel("Title", { exact: true }).count();
  await page.getByRole("button", { name: "New note" }).click();
  await expect.poll(() => page.getByLabel("Title", { exact: true }).count()).toBe(count + 1);
  await expect
    .poll(() =>
      page
        .getByLabel("Title", { exact: true })
        .first()
        .evaluate((input) => input === document.activeElement),
    )
    .toBe(true);
  await page.keyboard.type(title);
  await page.keyboard.press("Tab");
  await page.keyboard.type(text);
}

it("keeps notes, shows them in every tab, and has them after a reload", async () => {
  const [a, b] = [await open(), await open()];
  await write(a, "Groceries", "Bread, salt");
  await expect.poll(() => titles(b)).toEqual(["Groceries"]);
  await expect.poll(() => b.getByLabel("Text", { exact: true }).inputValue()).toBe("Bread, salt");

  // Both write at once, each in a note of its own.
  await write(b, "Books", "");
  await expect.poll(() => titles(a)).toEqual(["Books", "Groceries"]);
  await Promise.all([
    a.getByLabel("Text", { exact: true }).nth(1).pressSequentially(", tea"),
    b.getByLabel("Text", { exact: true }).nth(0).pressSequentially("Moby Dick"),
  ]);
  for (const page of [a, b])
    await expect
      .poll(() =>
        page
          .getByLabel("Text", { exact: true })
          .evaluateAll((areas) => areas.map((area) => (area as HTMLTextAreaElement).value)),
      )
      .toEqual(["Moby Dick", "Bread, salt, tea"]);

  await b.getByRole("button", { name: "Delete Books" }).click();
  await expect.poll(() => titles(a)).toEqual(["Groceries"]);
  await a.reload();
  await expect.poll(() => titles(a)).toEqual(["Groceries"]);
  await expect
    .poll(() => a.getByLabel("Text", { exact: true }).inputValue())
    .toBe("Bread, salt, tea");
  // The note is gone from the database, and nothing has brought it back.
  expect(
    await a.evaluate(
      () =>
        new Promise((resolve) => {
          const opening = indexedDB.open("notes.kv");
          opening.onsuccess = () => {
            const counting = opening.result.transaction("notes").objectStore("notes").count();
            counting.onsuccess = () => resolve(counting.result);
          };
        }),
    ),
  ).toBe(2);
});

it("leaves the caret in place during typing", async () => {
  const page = await open();
  await write(page, "Note", "one three");
  for (const _ of "three") await page.keyboard.press("ArrowLeft");
  await page.keyboard.type("two ");
  expect(await page.getByLabel("Text", { exact: true }).inputValue()).toBe("one two three");
});

it("loses nothing when the tab is closed during typing", async () => {
  const page = await open();
  await write(page, "Last words", "to be continu");
  await page.keyboard.type("ed");
  await page.close({ runBeforeUnload: true });
  const again = await open();
  await expect
    .poll(() => again.getByLabel("Text", { exact: true }).inputValue())
    .toBe("to be continued");
});

it("works without a network, from the first line on", async () => {
  const page = await open();
  await page.waitForSelector("html[data-ready=offline]", { state: "attached" });
  await context.setOffline(true);
  await page.reload();
  await expect.poll(() => status(page)).toBe("0 notes, kept in this browser, offline");
  await write(page, "On the train", "no signal");
  await expect
    .poll(() => page.getByLabel("Title", { exact: true }).inputValue())
    .toBe("On the train");
  await page.reload();
  await expect.poll(() => titles(page)).toEqual(["On the train"]);
  await context.setOffline(false);
  await expect.poll(() => status(page)).toBe("1 note, kept in this browser");
});

for (const colorScheme of ["light", "dark"] as const) {
  it(`can be used by everybody (${colorScheme})`, async () => {
    const page = await open();
    await page.emulateMedia({ colorScheme });
    await write(page, "Groceries", "Bread, salt");
    await write(page, "Ideas", "A note for each thought, in every tab.");
    await page.getByRole("button", { name: "New note" }).focus();
    await page.addScriptTag({ content: axe.source });
    const { violations, passes } = await page.evaluate(() =>
      (globalThis as unknown as { axe: { run(): Promise<AxeResults> } }).axe.run(),
    );
    expect(violations.map(({ id, nodes }) => [id, nodes.map(({ target }) => target)])).toEqual([]);
    expect(passes.map(({ id }) => id)).toEqual(
      expect.arrayContaining([
        "label",
        "color-contrast",
        "button-name",
        "document-title",
        "html-has-lang",
      ]),
    );
    if (process.env.SCREENSHOTS)
      await page.screenshot({
        path: path.join(process.env.SCREENSHOTS, `notes-${colorScheme}.png`),
      });
  });
}
