import type { Page } from "playwright";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Store } from "../../src/index.ts";
import { openTabs, type Tabs } from "../support/tabs.ts";

// These are global in the page.
declare const store: Store;
declare const loads: () => number;

let tabs: Tabs;
beforeAll(async () => {
  tabs = await openTabs('import { install } from "./test/programs/state-page.ts"; install();');
});
afterAll(() => tabs?.close());
afterEach(() => tabs.renew());

/** What a person reads on the page. */
const textOf = (page: Page): Promise<string[]> => page.locator("main > *").allInnerTexts();

/** Shows a text within the time that a reader waits. */
async function shows(page: Page, texts: readonly string[]): Promise<void> {
  await expect.poll(() => textOf(page)).toEqual(texts);
}

const keysOf = (page: Page): Promise<string[]> => page.evaluate(() => store.keys());

describe("a React page over IndexedDB", () => {
  it("shows its states again after a reload, without a second request to the server", async () => {
    const page = await tabs.open();
    await shows(page, ["0 bears", "light", "0 items", "ann"]);
    expect(await page.evaluate(() => loads())).toBe(1);
    await page.click("#zustand");
    await page.click("#zustand");
    await page.click("#jotai");
    await page.click("#redux");
    await shows(page, ["2 bears", "dark", "1 items", "ann"]);
    const isKept = async (): Promise<boolean> => {
      const { bears, cart } = await page.evaluate(async () => ({
        bears: await store.get<{ state: { count: number } }>("zustand:bears"),
        cart: await store.get<string>("redux:persist:cart"),
      }));
      return bears?.state.count === 2 && /"items":"1"/.test(cart ?? "");
    };
    await expect.poll(isKept).toBe(true);
    await expect.poll(async () => (await keysOf(page)).length).toBe(4);
    await page.reload();
    await shows(page, ["2 bears", "dark", "1 items", "ann"]);
    expect(await page.evaluate(() => loads())).toBe(0);
    await page.click("#zustand");
    await shows(page, ["3 bears", "dark", "1 items", "ann"]);
  });

  it("shows its first states again when its storage was cleared", async () => {
    const page = await tabs.open();
    await page.click("#jotai");
    await shows(page, ["0 bears", "dark", "0 items", "ann"]);
    await expect.poll(() => keysOf(page)).toContain("jotai:theme");
    await page.evaluate(() => store.clear());
    await page.reload();
    await shows(page, ["0 bears", "light", "0 items", "ann"]);
  });
});
