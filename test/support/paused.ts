import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { expect } from "vitest";

const script = join(import.meta.dirname, "../programs/paused-process.ts");

/**
 * Tests that programs end soon after they have closed their stores, though the server does not
 * answer. The names are those of `open-server.ts`.
 */
export async function endsWhilePaused(
  server: { url: string; pause(): void; resume(): void },
  names: readonly string[],
): Promise<void> {
  const children = await Promise.all(
    names.flatMap((name) =>
      ["used", "fresh"].map(async (state) => {
        const child = fork(script, [name, server.url, state], {
          stdio: ["ignore", "pipe", "inherit", "ipc"],
        });
        let output = "";
        child.stdout!.on("data", (text) => (output += text));
        await once(child, "message");
        return { name: `${name} ${state}`, child, output: () => output };
      }),
    ),
  );
  server.pause();
  try {
    const ends = children.map(async ({ name, child, output }) => {
      const late = setTimeout(() => child.kill("SIGKILL"), 100_000);
      const ended = once(child, "exit");
      child.send("go");
      const [code] = (await ended) as [number | null];
      clearTimeout(late);
      return [name, code, output()];
    });
    const refused =
      "KV_CONNECTION,KV_CONNECTION,KV_CONNECTION,KV_CONNECTION KV_CONNECTION\nclosed\n";
    expect(await Promise.all(ends)).toEqual(children.map(({ name }) => [name, 0, refused]));
  } finally {
    server.resume();
  }
}
