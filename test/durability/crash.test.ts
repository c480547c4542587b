import { existsSync } from "node:fs";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import kv from "../../src/index.ts";
import { place } from "../support/disk.ts";
import { DISK_CLIENTS, openClient } from "../support/open-client.ts";
import { valueOf } from "../programs/other-process.ts";
import { isFull } from "../support/runs.ts";
import { start } from "../support/processes.ts";

const KILLS = isFull ? 25 : 2;

/**
 * Runs a writer, kills it at a random moment, and returns what it acknowledged: the last number of
 * each key.
 */
async function crash(
  client: string,
  folder: string,
  first: number,
): Promise<{ acknowledged: Map<string, number>; last: number }> {
  const child = start("crash", client, folder, String(first));
  let output = "";
  child.stdout!.setEncoding("utf8").on("data", (text: string) => (output += text));
  // From the first acknowledged write on, so that the start-up of the process is no part of the
  // random time.
  await once(child.stdout!, "data");
  await sleep(Math.random() * 60);
  child.kill("SIGKILL");
  await once(child, "close");
  // The last line may be cut.
  const lines = output.slice(0, output.lastIndexOf("\n")).split("\n");
  const acknowledged = new Map(
    lines.map((line) => [
      line.slice(0, line.lastIndexOf(" ")),
      Number(line.slice(line.lastIndexOf(" "))),
    ]),
  );
  return { acknowledged, last: Math.max(...acknowledged.values()) };
}

describe.each(DISK_CLIENTS)("%s after SIGKILL", (client) => {
  it(`keeps acknowledged writes, whole values and whole commits, ${KILLS} times`, async () => {
    const folder = place({ onDisk: true });
    const expected = new Map<string, number>();
    let next = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const { acknowledged, last } = await crash(client, folder, next);
      for (const [key, n] of acknowledged) expected.set(key, n);

      const store = kv<ReturnType<typeof valueOf>>((await openClient(client, folder)) as never);
      for (const [key, n] of expected) {
        const value = await store.get(key);
        expect(value).toEqual(valueOf(value!.n));
        // What was under way when the process ended may be there or not.
        expect([n, last, last + 1]).toContain(value!.n);
        expected.set(key, value!.n);
      }
      const left = await store.get("left");
      expect(await store.get("right")).toEqual(left);
      expect(await store.get<unknown>("now and then")).toBe(
        left === null || left.n % 2 === 0 ? null : left.n,
      );
      const keys = await store.keys();
      expect(keys.every((key) => /^(key \d|left|right|beside|now and then|after)$/.test(key))).toBe(
        true,
      );

      await store.set("after", valueOf(kill));
      expect(await store.get("after")).toEqual(valueOf(kill));
      await store.close();
      next = last + 2;
    }
    expect(next).toBeGreaterThan(2 * KILLS);
    expect(
      existsSync(`${folder}/.data.json.anykv-lock`) || existsSync(`${folder}/data/.anykv-lock`),
    ).toBe(false);
  });
});
