import { cdp } from "vitest/browser";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import kv, { type Client, type Store } from "../../../src/index.ts";
import { cookieJar, cookies } from "../../support/browser-clients.ts";
import { behaves } from "../../suites/browser-suite.ts";
import { eventually, inTime } from "../../support/eventually.ts";

behaves(cookieJar);

/** What Chromium tells of a cookie. */
interface Told {
  name: string;
  expires: number | null;
  path: string;
  sameSite: string;
}

declare const cookieStore: { get(name: string): Promise<Told | null> };

interface Devtools {
  send(method: string, params: object): Promise<unknown>;
}

describe("COOKIE in Chromium", () => {
  let store: Store;

  beforeEach(async () => {
    store = kv((await cookieJar.create()) as Client, { timeout: "1m" });
  });
  afterEach(() => cookieJar.cleanup());

  it("sets the browser's deadline, rounded up to seconds", async () => {
    for (const ms of [300, 1000, 1500, 3_600_000]) {
      const deadline = Date.now() + ms;
      await store.set("session", 1, { expires: new Date(deadline) });
      const late = Date.now() - deadline + ms;
      const told = (await cookieStore.get("session"))!;
      expect(told.expires).toBeGreaterThanOrEqual(deadline);
      expect(told.expires).toBeLessThan(deadline + 1500 + late);
    }
  });

  it("drops an expired cookie natively", async () => {
    await inTime(50, async (ms) => {
      await store.set("short", 1, { expires: ms / 1000 });
      expect(cookies().has("short")).toBe(true);
    });
    await eventually(() => cookies().has("short")).toBe(false);
  });

  it("never makes a session cookie, and caps a life at the browser's 400 days", async () => {
    for (const options of [{}, { expires: "9 years" }]) {
      await store.set("forever", 1, options);
      const days = ((await cookieStore.get("forever"))!.expires! - Date.now()) / 86_400_000;
      expect(Math.round(days)).toBe(400);
    }
  });

  it("belongs to the whole site, and is not sent across sites", async () => {
    await store.set("a", 1);
    expect(await cookieStore.get("a")).toMatchObject({ path: "/", sameSite: "lax" });
  });

  it("refuses cookies that the browser would drop, and keeps the old value", async () => {
    await store.set("a", "old");
    await expect(store.set("a", "x".repeat(5000))).rejects.toMatchObject({
      code: "KV_TOO_LARGE",
      client: "COOKIE",
      key: "a",
    });
    expect(await store.get("a")).toBe("old");
    await expect(
      store.commit(
        [],
        [
          { key: "a", value: "new" },
          { key: "b", value: "x".repeat(5000) },
        ],
      ),
    ).rejects.toMatchObject({ code: "KV_TOO_LARGE" });
    expect(await store.entries()).toEqual([["a", "old"]]);
  });

  it("uses the 4096 bytes to the last one", async () => {
    const empty = "a=".length - 1 + (await store.set("a", ""), cookies().get("a")!.length);
    await store.set("a", "x".repeat(4096 - empty));
    expect(await store.get("a")).toBe("x".repeat(4096 - empty));
    await expect(store.set("a", "x".repeat(4097 - empty))).rejects.toMatchObject({
      code: "KV_TOO_LARGE",
    });
  });

  it("does not let quotes grow a text to several times its size", async () => {
    const quotes = '"'.repeat(1000);
    const prose = 'He said: "I, for one, say C:\\dir" '.repeat(60);
    await store.set("quotes", quotes);
    await store.set("prose", prose);
    expect(await store.get("quotes")).toBe(quotes);
    expect(await store.get("prose")).toBe(prose);
    expect(cookies().get("quotes")!.length).toBeLessThan(2200);
    // The characters of a cookie-octet, RFC 6265 section 4.1.1.
    expect(document.cookie).toMatch(/^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e; ]*$/);
  });

  it("takes keys that browsers give a meaning to", async () => {
    const keys = ["__Host-a", "__Secure-a", "__http-a", "__HoSt-a", "(a)", "a=b", "$Version"];
    for (const key of keys) await store.set(key, key);
    expect((await store.entries()).sort()).toEqual(keys.map((key) => [key, key]).sort());
  });

  it("keeps a long key of any script", async () => {
    const key = "漢".repeat(170);
    await store.set(key, 1);
    expect(await store.keys()).toEqual([key]);
  });

  it("refuses the cookie that would make the browser drop others", async () => {
    let kept = 0;
    const refused: unknown[] = [];
    for (let i = 0; i < 400; i++)
      await store.set(`k${i}`, i).then(
        () => kept++,
        (error: unknown) => refused.push(error),
      );
    expect(kept).toBeGreaterThanOrEqual(150);
    expect(refused.length).toBe(400 - kept);
    expect(refused).toEqual(
      refused.map(() => expect.objectContaining({ code: "KV_QUOTA", client: "COOKIE" })),
    );
    expect(await store.entries()).toEqual(Array.from({ length: kept }, (_, i) => [`k${i}`, i]));
    await store.set("k0", "still writable");
    await store.del("k1");
    await store.set("again", 1);
    expect(await store.get("again")).toBe(1);
  });

  it("says so when a cookie is out of reach for scripts", async () => {
    const hidden = { url: location.origin, name: "a" };
    await (cdp() as Devtools).send("Network.setCookie", {
      ...hidden,
      value: "secret",
      httpOnly: true,
    });
    await expect(store.set("a", 1)).rejects.toMatchObject({ code: "KV_CONNECTION", key: "a" });
    expect(await store.get("a")).toBe(null);
    await (cdp() as Devtools).send("Network.deleteCookies", hidden);
  });
});
