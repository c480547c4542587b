import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { place } from "../support/disk.ts";
import { afterPowerLoss, record, restore, strace } from "../support/power-loss.ts";
import { openForPowerLoss } from "../programs/power-loss-client.ts";
import { runs } from "../support/runs.ts";

const program = path.join(import.meta.dirname, "../programs/power-loss-program.ts");

function hasStrace(): boolean {
  try {
    execFileSync(strace, ["-V"]);
    return true;
  } catch {
    console.log("strace is missing: power loss is not tested (apt-get install strace)");
    return false;
  }
}

/** What the program writes with its n-th call, by key; `null` for nothing. */
function writesOf(n: number): [key: string, value: number | null][] {
  if (n % 7 === 0) return [[`key ${n % 5}`, null]];
  if (n % 3 === 0)
    return [
      ["left", n],
      ["right", n],
    ];
  return [[`key ${n % 5}`, n]];
}
const CALLS = 30;

/** The values that a key may have when the first so many calls were acknowledged. */
function possible(key: string, acknowledged: number): (number | null)[] {
  let found: (number | null)[] = [null];
  for (let n = 1; n <= CALLS; n++)
    for (const [written, value] of writesOf(n))
      if (written === key) found = n <= acknowledged ? [value] : [...found, value];
  return found;
}

describe.skipIf(!hasStrace()).each(["FILE", "FOLDER", "SQLITE"])("%s", (kind) => {
  it("keeps every acknowledged write when the power fails", async () => {
    const base = place();
    const folder = path.join(base, "recorded");
    mkdirSync(folder);
    const changes = await record(folder, [program, kind, folder]);
    const isNote = (i: number): boolean => changes[i]!.path === "acknowledged";
    const notes = changes.flatMap((change, i) => (isNote(i) && change.kind === "write" ? [i] : []));
    expect(notes.length).toBe(CALLS);
    const check = async (cut: number, choices: readonly number[]): Promise<void> => {
      let choice = 0;
      const random = (): number => choices[choice++ % choices.length]!;
      const failed = path.join(base, "failed");
      restore(failed, afterPowerLoss(changes, cut, random));
      const acknowledged = notes.filter((at) => at < cut).length;
      const store = openForPowerLoss(kind, failed);
      const found = await store.all();
      await store.close();
      for (const key of ["key 0", "key 1", "key 2", "key 3", "key 4", "left", "right"])
        expect(possible(key, acknowledged), `${key} at ${cut}`).toContain(found[key] ?? null);
      expect(found.left).toBe(found.right);
    };
    const below1 = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    const property = fc.asyncProperty(
      fc.integer({ min: 0, max: changes.length }),
      fc.array(below1, { minLength: 40, maxLength: 40 }),
      check,
    );
    await fc.assert(property, { numRuns: runs(500) });
  });
});
