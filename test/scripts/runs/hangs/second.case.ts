import { spawn } from "node:child_process";
import { renameSync, writeFileSync } from "node:fs";
import { it } from "vitest";

it("never ends, and neither do the processes it starts", async () => {
  const program = ["-e", "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000)"];
  const pids = [false, true].map(
    (detached) => spawn(process.execPath, program, { detached, stdio: "ignore" }).pid!,
  );
  const file = process.env.ANYKV_PIDS!;
  writeFileSync(`${file}.new`, JSON.stringify([process.pid, ...pids]));
  renameSync(`${file}.new`, file);
  await new Promise(() => {});
});
