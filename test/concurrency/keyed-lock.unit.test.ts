import { expect, it } from "vitest";
import { keyedLock } from "../../src/concurrency/keyed-lock.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it("runs work on one key in the order of the calls, and other work side by side", async () => {
  const lock = keyedLock();
  const log: string[] = [];
  const task = (name: string) => async () => {
    log.push(`${name} starts`);
    await turn();
    log.push(`${name} ends`);
  };
  await Promise.all([
    lock(["a"], task("1")),
    lock(["a", "b"], task("2")),
    lock(["c"], task("3")),
    lock(["b"], task("4")),
  ]);
  const at = (line: string): number => log.indexOf(line);
  expect(at("2 starts")).toBeGreaterThan(at("1 ends"));
  expect(at("4 starts")).toBeGreaterThan(at("2 ends"));
  expect(at("3 starts")).toBeLessThan(at("1 ends"));
  expect(log).toHaveLength(8);
});

it("goes on after a task that fails, and hands the failure to its caller alone", async () => {
  const lock = keyedLock();
  const failing = lock(["a"], () => Promise.reject(new Error("no")));
  const next = lock(["a"], () => "done");
  await expect(failing).rejects.toThrow("no");
  expect(await next).toBe("done");
});

it("takes all keys of a call at once, so that crossing calls do not deadlock", async () => {
  const lock = keyedLock();
  const crossing = Array.from({ length: 50 }, (_, i) =>
    lock(i % 2 ? ["a", "b"] : ["b", "a"], turn),
  );
  expect(await Promise.all(crossing)).toHaveLength(50);
});
