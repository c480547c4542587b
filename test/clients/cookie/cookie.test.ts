import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import kv from "../../../src/index.ts";
import { cookieJar, cookies } from "../../support/browser-clients.ts";
import { behaves } from "../../suites/browser-suite.ts";
import { fakeDocument } from "../../support/fake-document.ts";

describe("COOKIE without a page", () => {
  it("says so at the first operation", async () => {
    const store = kv("cookie");
    expect(store.type).toBe("COOKIE");
    await expect(store.get("a")).rejects.toMatchObject({
      code: "KV_INVALID_CLIENT",
      client: "COOKIE",
    });
    await expect(store.set("a", 1)).rejects.toMatchObject({ code: "KV_INVALID_CLIENT" });
  });
});

describe("with a page", () => {
  beforeEach(() => {
    vi.stubGlobal("document", fakeDocument());
    vi.stubGlobal("location", new URL("http://localhost/"));
  });
  afterEach(() => void vi.unstubAllGlobals());

  behaves(cookieJar);

  it("fills a browser up to its limit, loses nothing, and says so", async () => {
    const store = kv("cookie");
    const results = await Promise.allSettled(
      Array.from({ length: 400 }, (_, i) => store.set(`k${i}`, i)),
    );
    expect(results.filter(({ status }) => status === "fulfilled").length).toBe(180);
    expect(results.slice(180)).toEqual(
      results
        .slice(180)
        .map(() => ({ status: "rejected", reason: expect.objectContaining({ code: "KV_QUOTA" }) })),
    );
    expect((await store.keys()).length).toBe(180);
  });

  it("restores its cookies where a browser keeps fewer, and rejects where it cannot", async () => {
    vi.stubGlobal("document", fakeDocument(100));
    document.cookie = "theirs=1; path=/";
    const store = kv("cookie");
    for (let i = 0; i < 99; i++) await store.set(`k${i}`, i);
    await expect(store.set("k99", 1)).rejects.toMatchObject({
      code: "KV_QUOTA",
      message: expect.stringContaining("1 of others are gone"),
    });
    expect((await store.keys()).length).toBe(99);
    expect(await store.has("k99")).toBe(false);
  });

  it("does not list one key twice for two spellings of its name", async () => {
    const store = kv("cookie");
    await store.set("a b", 1);
    document.cookie = `a+b=${cookies().get("a%20b")}; path=/`;
    document.cookie = `%61%20b=${cookies().get("a%20b")}; path=/`;
    document.cookie = `%=${cookies().get("a%20b")}; path=/`;
    expect(await store.keys()).toEqual(["a b"]);
  });

  it("takes no damaged text for a whole one", async () => {
    const store = kv("cookie");
    await store.set("a", "éé");
    document.cookie = `a=${cookies().get("a")!.replace("%C3%A9", "%C3")}; path=/`;
    await expect(store.get("a")).rejects.toMatchObject({ code: "KV_CORRUPT", key: "a" });
  });

  it("takes a commit back when a later change is refused", async () => {
    const store = kv("cookie");
    await store.setMany(
      [
        ["a", "old"],
        ["b", "old"],
      ],
      { expires: "1h" },
    );
    const before = document.cookie;
    await expect(
      store.commit(
        [],
        [
          { key: "a", value: "new" },
          { key: "c", value: 1 },
          { key: "b", value: "x".repeat(5000) },
        ],
      ),
    ).rejects.toMatchObject({ code: "KV_TOO_LARGE", key: "b" });
    expect(document.cookie.split("; ").sort()).toEqual(before.split("; ").sort());
  });
});
