import { existsSync, mkdirSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { expect, it } from "vitest";
import { fileLock } from "../../../src/clients/shared/disk/file-lock.ts";
import { place, textOf } from "../../support/disk.ts";
import { runWithFewFiles } from "../../support/processes.ts";

// A process number that Linux and macOS never give, in a token of this machine.
const deadToken = (own: string, random: string): string =>
  own.replace(/^([^-]+)-\d+-\d*-.*$/, `$1-99999999-1-${random}`);

it("lets one in at a time, and leaves nothing behind", async () => {
  const work = join(place(), "lock");
  let inside = 0;
  const visits = Array.from({ length: 20 }, async () => {
    const lock = fileLock(work);
    const held = await lock();
    expect(++inside).toBe(1);
    await new Promise((resolve) => setImmediate(resolve));
    inside--;
    held.release();
  });
  await Promise.all(visits);
  expect(existsSync(work)).toBe(false);
});

it("takes over from a dead process at once, with everything it was about to publish", async () => {
  const work = join(place(), "lock");
  const lock = fileLock(work);
  const own = await lock();
  const token = basename(own.folder);
  own.release();
  const dead = deadToken(token, "0123456789abcdef");
  mkdirSync(join(work, "held", dead), { recursive: true });
  writeFileSync(join(work, "held", dead, "half"), "half");
  mkdirSync(join(work, deadToken(token, "00000000000000aa"), "x"), { recursive: true });

  const held = await lock();
  expect(readdirSync(join(work, "held"))).toHaveLength(1);
  held.release();
  expect(existsSync(work)).toBe(false);
});

it("takes over from a frozen holder, who can neither publish nor free the lock then", async () => {
  const folder = place();
  const work = join(folder, "lock");
  const frozen = await fileLock(work)();
  writeFileSync(join(frozen.folder, "data"), "late");

  const impatient = fileLock(work, 20);
  const held = await impatient();
  writeFileSync(join(held.folder, "data"), "in time");
  expect(() => renameSync(join(frozen.folder, "data"), join(folder, "data"))).toThrow("ENOENT");
  frozen.release();
  renameSync(join(held.folder, "data"), join(folder, "data"));
  expect(textOf(join(folder, "data"))).toBe("in time");
  held.release();
});

it("waits for a holder of another machine as long as it shows signs of life", async () => {
  const work = join(place(), "lock");
  const strange = join(work, "held", "00000000-1-1-0123456789abcdef");
  mkdirSync(strange, { recursive: true });
  let signs = 0;
  const life = setInterval(() => writeFileSync(join(strange, `sign ${++signs}`), ""), 5);
  const started = performance.now();
  const waiting = fileLock(work, 600)();
  await new Promise((resolve) => setTimeout(resolve, 900));
  expect(performance.now() - started).toBeGreaterThan(600);
  expect(existsSync(strange)).toBe(true);
  clearInterval(life);
  const held = await waiting;
  expect(existsSync(strange)).toBe(false);
  held.release();
});

it("says so when there is no way in", async () => {
  const work = join(place(), "lock");
  writeFileSync(work, "a file");
  await expect(fileLock(work)()).rejects.toMatchObject({ code: "ENOTDIR" });
  expect(textOf(work)).toBe("a file");
});

it.skipIf(process.platform === "win32")("is released when no descriptor is free", async () => {
  expect(JSON.parse(await runWithFewFiles("release", "FILE", place()))).toEqual([false, false]);
});
