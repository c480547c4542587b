import path from "node:path";
import { build } from "esbuild";
import { Miniflare } from "miniflare";
import { afterAll, beforeAll, describe, it } from "vitest";
import { http } from "../../src/clients/http.ts";
import { conformance } from "../../src/conformance/index.ts";
import kv from "../../src/index.ts";

// The handler in a worker, with a space for each test; the client is here.
const program = `
  import kv from "../../src/index.ts";
  import { createHandler } from "../../src/http/index.ts";
  const tokens = Array.from({ length: 100 }, (_, i) => ({ token: "0123456789abcdef-" + i, space: "space " + i }));
  let handler;
  export default { fetch: (request) => (handler ??= createHandler(kv(new Map()), { tokens, limits: { valueBytes: Infinity, bodyBytes: Infinity } }))(request) };
`;

let worker: Miniflare;
let url: URL;
beforeAll(async () => {
  const { outputFiles } = await build({ stdin: { contents: program, resolveDir: path.join(import.meta.dirname, "../servers") }, bundle: true, format: "esm", target: "es2022", conditions: ["workerd", "worker", "browser"], write: false, logLevel: "error" });
  worker = new Miniflare({ modules: true, script: outputFiles[0]!.text, compatibilityDate: "2026-07-01" });
  url = await worker.ready;
});
afterAll(() => worker.dispose());

let count = 0;
// What a runtime may do differently. Its clock is its own, so that deadlines are tested elsewhere.
const matters = ({ id }: { id: string }): boolean => ["V1", "K1", "P1", "P5", "A2", "N2"].includes(id);
describe("HTTP over a handler in workerd conforms", () => {
  for (const { name, run } of conformance({ open: () => kv(http(url, { token: `0123456789abcdef-${count++}` })), clock: "real", runs: 2 }).filter(matters)) it(name, run);
});
