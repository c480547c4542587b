import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const root = join(import.meta.dirname, "../..");

/** What `npm start` prints, on a machine without servers and without Chromium. */
async function output(...args: string[]): Promise<string> {
  const absent = { REDIS_SERVER: "/none", ETCD: "/none", POSTGRES: "/none", CHROMIUM: "/none" };
  const flags = ["--disable-warning=ExperimentalWarning", "examples/packages.ts", ...args];
  const env = { ...process.env, ...absent };
  return (await promisify(execFile)(process.execPath, flags, { cwd: root, env })).stdout;
}

it("npm start compares the clients that are here, and names those that are not", async () => {
  const lines = (await output("map", "sqlite", "redis", "postgres", "cookies")).split("\n");
  expect(lines[0]).toMatch(/^anykv: one program, 7 clients\. \d{3} packages are written,$/);
  expect(lines.slice(3, 10).map((line) => line.replace(/[\d,]+ ms$/, "N ms"))).toEqual([
    expect.stringMatching(/^ {2}a Map +✓ same data +✓ expiry exact +N ms$/),
    expect.stringMatching(/^ {2}node:sqlite +✓ +✓ +N ms$/),
    expect.stringMatching(/^ {2}better-sqlite3 +✓ +✓ +N ms$/),
    expect.stringMatching(/^ {2}Keyv \(a Map\) +✓ +✓ +N ms$/),
    "  not here: Redis, Postgres, cookies (Chromium)",
    "",
    expect.stringMatching(/^✓ 4 clients, the same data\. \(\d+ s\)$/),
  ]);
});

it("npm start prints a program to try that runs", async () => {
  const program = /node -i -e '(.*)'$/m.exec(await output("map"))![1]!;
  const flags = [
    "-e",
    `${program}; store.set("a", 1).then(() => store.get("a")).then(console.log)`,
  ];
  expect((await promisify(execFile)(process.execPath, flags, { cwd: root })).stdout).toBe("1\n");
});
