import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { http } from "../../../src/clients/http/index.ts";
import { serve } from "../../../src/http/index.ts";
import kv, { type Store } from "../../../src/index.ts";

const token = "reads-and-writes";
const own = kv(new Map());
let server: Awaited<ReturnType<typeof serve>>;
const serveAt = (port = 0): ReturnType<typeof serve> =>
  serve(own, { tokens: [{ token, space: "s" }], port, hostname: "127.0.0.1" });
beforeAll(async () => void (server = await serveAt()));
afterAll(() => server.close());

const open = (): Store<unknown> => kv(http(server.url, { token }), { timeout: "20s" });

describe("watching over HTTP", () => {
  it("reports the writes of another client, by one stream for all watches", async () => {
    const [store, writer] = [open(), open()];
    const watches = [
      ...Array.from({ length: 50 }, (_, i) => store.watch(`a${i % 3}`)),
      store.watch({ prefix: "" }),
    ];
    await Promise.all(watches.map(({ ready }) => ready));
    expect(store.supports.watch).toBe("native");
    const changes = watches.filter((_, i) => i % 3 === 0).map((watch) => watch.next());
    await writer.set("a0", { deep: [1] });
    for (const change of changes) expect((await change).value!.entry!.value).toEqual({ deep: [1] });
    await Promise.all([store.close(), writer.close()]);
  });

  it("reports deadlines, deletions and writes of the server's own process", async () => {
    const [store, writer] = [open(), open()];
    const watch = store.watch({ prefix: "d:" });
    await watch.ready;
    await writer.set("d:1", 1, { expires: "500ms" });
    expect((await watch.next()).value).toMatchObject({ key: "d:1", entry: { value: 1 } });
    expect((await watch.next()).value).toMatchObject({ key: "d:1", entry: null });
    await writer.set("d:2", 2);
    expect((await watch.next()).value).toMatchObject({ key: "d:2", entry: { value: 2 } });
    await writer.prefix("d:").clear();
    expect((await watch.next()).value).toMatchObject({ key: "d:2", entry: null });
    await Promise.all([store.close(), writer.close()]);
  });

  it("reports a single key that another client writes", async () => {
    const [store, writer] = [open(), open()];
    const watch = store.watch("single");
    await watch.ready;
    const change = watch.next();
    await writer.set("single", 1);
    expect((await change).value).toMatchObject({ key: "single", entry: { value: 1 } });
    await Promise.all([store.close(), writer.close()]);
  });

  it("goes on after the server was started again, and misses nothing", async () => {
    const [store, writer] = [open(), open()];
    await writer.set("r", 0);
    const watch = store.watch("r");
    await watch.ready;
    const change = watch.next();
    const { port } = new URL(server.url);
    await server.close();
    server = await serveAt(Number(port));
    await writer.set("r", 1);
    expect((await change).value!.entry!.value).toBe(1);
    await Promise.all([store.close(), writer.close()]);
  });
});
