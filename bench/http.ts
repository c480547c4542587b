/**
 * Load on a server: 200 connections for 20 seconds against an SQLite store on loopback, from
 * another process. Prints throughput, latencies and the growth of memory, and ends with 1 when a
 * request failed or memory grew. `node bench/http.ts [seconds] [connections]`, after a build. It
 * also compares how long wrong tokens take that differ in their first and in their last character.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";
import { DatabaseSync } from "node:sqlite";
import kv from "anykv";
import { createHandler, serve } from "anykv/http";

const token = "0123456789abcdef0123456789abcdef";
const [seconds, connections] = [Number(process.argv[2]) || 20, Number(process.argv[3]) || 200];

interface Load {
  readonly count: number;
  readonly failed: number;
  readonly latencies: readonly number[];
}

/** What the other process does: each connection sends one request after the other. */
async function load(port: number): Promise<Load> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const latencies: number[] = [];
  let [count, failed] = [0, 0];
  const end = performance.now() + seconds * 1000;
  const send = (operation: string, body: unknown): Promise<boolean> =>
    new Promise((resolve) => {
      const text = JSON.stringify(body);
      const headers = {
        "content-type": "application/json",
        authorization: `Bearer ${token}`,
        "content-length": Buffer.byteLength(text),
      };
      const sent = request(
        { port, host: "127.0.0.1", path: `/v1/${operation}`, method: "POST", agent, headers },
        (response) => {
          response
            .resume()
            .once("end", () => resolve(response.statusCode === 200))
            .once("error", () => resolve(false));
        },
      );
      sent.once("error", () => resolve(false)).end(text);
    });
  const value = { name: "Ann", age: 41, tags: ["admin", "staff"] };
  const worker = async (id: number): Promise<void> => {
    for (let n = 0; performance.now() < end; n++) {
      const key = `user:${(id * 7919 + n * 104_729) % 10_000}`;
      const began = performance.now();
      const isDone = await (n % 5 === 0
        ? send("commit", {
            checks: [],
            writes: [{ key, value }],
            id: `${process.pid}-${id}-${n}`.padStart(16, "0"),
          })
        : n % 5 === 1
          ? send("set", { writes: [{ key, value, expires: Date.now() + 60_000 }] })
          : n % 50 === 2
            ? send("list", { prefix: "user:1", limit: 50 })
            : send("get", { keys: [key] }));
      latencies.push(performance.now() - began);
      count++;
      if (!isDone) failed++;
    }
  };
  await Promise.all(Array.from({ length: connections }, (_, id) => worker(id)));
  agent.destroy();
  return { count, failed, latencies };
}

/**
 * How much longer a token takes that is wrong in its last character than one that is wrong in its
 * first: the ratio of medians.
 */
async function timing(): Promise<number> {
  const handler = createHandler(kv(new Map()), { tokens: [{ token, space: "a" }] });
  const headers = { "content-type": "application/json" };
  const took = async (as: string): Promise<number> => {
    const asked = new Request("http://localhost/v1/get", {
      method: "POST",
      headers: { ...headers, authorization: `Bearer ${as}` },
      body: "{}",
    });
    const began = performance.now();
    await handler(asked);
    return performance.now() - began;
  };
  const [first, last]: [number[], number[]] = [[], []];
  // What is compiled meanwhile must not count for one of the two.
  for (let i = 0; i < 500; i++) await took(token);
  for (let i = 0; i < 4000; i++) {
    first.push(await took(`x${token.slice(1)}`));
    last.push(await took(`${token.slice(0, -1)}x`));
  }
  const median = (times: number[]): number => times.sort((a, b) => a - b)[times.length >> 1]!;
  return median(last) / median(first);
}

/** Runs the load; answers whether everything was as it should be. */
export async function main(): Promise<boolean> {
  const folder = mkdtempSync(path.join(tmpdir(), "anykv-bench-"));
  const db = new DatabaseSync(path.join(folder, "data.db"));
  db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
  const store = kv(db);
  const server = await serve(store, { tokens: [{ token, space: "bench" }] });
  const memory = (): number => {
    globalThis.gc?.();
    return process.memoryUsage().rss / 1e6;
  };
  const child = fork(
    import.meta.filename,
    [String(seconds), String(connections), String(server.port)],
    { stdio: "inherit" },
  );
  const answered = once(child, "message") as Promise<[Load]>;
  // The first seconds fill the heap to what it needs.
  await new Promise((resolve) => setTimeout(resolve, Math.min(5000, seconds * 500)));
  const before = memory();
  const [{ count, failed, latencies }] = await answered;
  const grown = memory() - before;
  await server.close();
  await store.close();
  rmSync(folder, { recursive: true, force: true });

  const sorted = [...latencies].sort((a, b) => a - b);
  const at = (part: number): string =>
    `${sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]!.toFixed(1)} ms`;
  console.log(
    `http: ${connections} connections for ${seconds} s: ${Math.round(count / seconds)} requests ` +
      `a second, median ${at(0.5)}, p99 ${at(0.99)}, slowest ${at(1)}`,
  );
  console.log(
    `http: ${failed} of ${count} requests failed; memory ${before.toFixed(0)} MB, ` +
      `${grown.toFixed(0)} MB more at the end`,
  );
  const ratio = await timing();
  console.log(
    `http: a token that is wrong at its end takes ${ratio.toFixed(3)} times as long as one that ` +
      "is wrong at its start",
  );
  return failed === 0 && grown < 50 && ratio > 0.8 && ratio < 1.25;
}

if (process.send !== undefined) {
  // Disconnecting before it is sent would lose it.
  process.send(await load(Number(process.argv[4])), () => process.disconnect());
} else if (process.argv[1] === import.meta.filename) {
  process.exitCode = (await main()) ? 0 : 1;
}
