import { PGlite } from "@electric-sql/pglite";
import { afterAll, describe, expect, it } from "vitest";
import { postgres } from "../../../src/clients/postgres/index.ts";
import kv from "../../../src/index.ts";
import { temporaryFolder } from "../../support/folders.ts";

const folder = temporaryFolder();
afterAll(() => folder.remove());

describe("POSTGRES by PGlite", () => {
  it("keeps records on the disk, in readable rows, and closes the database", async () => {
    const store = kv(new PGlite(folder.path), { timeout: "1m" });
    expect(store.type).toBe("POSTGRES");
    await store.set(
      "key\0",
      { a: ["\0", "\ud800", "é🙂"] },
      { expires: new Date("9999-12-31T23:59:59.999Z"), metadata: { by: "ann" } },
    );
    await store.setMany([
      ["b", "{}"],
      ["c", '\\"'],
    ]);
    await store.close();
    const db = new PGlite(folder.path, { parsers: { 20: () => "parsed", 25: () => "parsed" } });
    const again = kv(db, { timeout: "1m" });
    expect(await again.entry("key\0")).toMatchObject({
      value: { a: ["\0", "\ud800", "é🙂"] },
      expires: 253_402_300_799_999,
      metadata: { by: "ann" },
    });
    expect(await again.all()).toMatchObject({ b: "{}", c: '\\"' });
    const { version } = (await again.entry("b"))!;
    expect(
      (
        await again.commit(
          [
            { key: "b", version },
            { key: "new", version: null },
          ],
          [
            { key: "b", value: 2 },
            { key: "new", value: 1 },
          ],
        )
      ).ok,
    ).toBe(true);
    expect(
      await again.commit(
        [
          { key: "b", version },
          { key: "new", version: null },
        ],
        [],
      ),
    ).toEqual({ ok: false, failed: ["b", "new"] });
    await again.close();
    expect(db.closed).toBe(true);
    await expect(kv(db).get("b")).rejects.toMatchObject({
      code: "KV_CONNECTION",
      client: "POSTGRES",
    });
  });

  it("counts by many at once, beside tables of others", async () => {
    const db = new PGlite();
    await db.exec("CREATE TABLE kv (id int)");
    await expect(kv(db).get("a")).rejects.toMatchObject({ code: "KV_INVALID_CLIENT" });
    const store = kv(postgres(db, { table: "counts" }), { timeout: "1m" });
    const raise = async (): Promise<void> => {
      for (;;) {
        const entry = await store.entry<number>("count");
        if (
          (
            await store.commit(
              [{ key: "count", version: entry?.version ?? null }],
              [{ key: "count", value: (entry?.value ?? 0) + 1 }],
            )
          ).ok
        )
          return;
      }
    };
    await Promise.all(Array.from({ length: 20 }, raise));
    expect(await store.get("count")).toBe(20);
    await store.close();
  });
});
