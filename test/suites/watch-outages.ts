import { expect, it } from "vitest";
import kv from "../../src/index.ts";

/** A server whose process can be stopped for a while. */
interface PausedServer {
  pause(): void;
  resume(): void;
}

/** What a watch does when its server goes away for three seconds. */
export function watchesThroughAPause(server: PausedServer, open: () => unknown): void {
  it("goes on after the server was paused for three seconds", async () => {
    const options = { timeout: "30s" };
    const store = kv(open() as Map<string, unknown>, options);
    const writer = kv(open() as Map<string, unknown>, options);
    await writer.del("paused");
    const watch = store.watch("paused");
    await watch.ready;
    const change = watch.next();
    server.pause();
    const write = writer.set("paused", 2);
    await new Promise((resolve) => setTimeout(resolve, 3000));
    server.resume();
    await write;
    expect((await change).value!.entry!.value).toBe(2);
    await Promise.all([store.close(), writer.close()]);
  });
}
