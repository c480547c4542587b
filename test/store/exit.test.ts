import { execFile, spawn } from "node:child_process";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterEach, expect, it } from "vitest";
import { temporaryFolder } from "../support/folders.ts";

const source = path.join(import.meta.dirname, "../../src/index.ts");
const folders: { remove(): void }[] = [];
afterEach(() => folders.splice(0).forEach((folder) => folder.remove()));

const CLIENTS: Record<string, string> = {
  memory: "new Map()",
  custom: "{ get: () => null, set() {}, *iterate() {} }",
  file: "new URL(`file://${process.cwd()}/data.json`)",
  folder: "new URL(`file://${process.cwd()}/data/`)",
  "node:sqlite": "new (await import('node:sqlite')).DatabaseSync('data.db')",
  level: "new (await import('level')).Level('data')",
};

/**
 * Runs a program that uses a store over a client, and resolves to its exit code; it is not helped
 * to end.
 */
function run(client: string, end: string): Promise<{ code: number | null; errors: string }> {
  const folder = temporaryFolder();
  folders.push(folder);
  const program = `
    import kv from ${JSON.stringify(source)};
    const store = kv(${client});
    await store.set("a", 1, { expires: "1h" });
    await store.set("b", 1, { expires: 0.001 });
    await store.get("a");
    for await (const pair of store) break;
    ${end}
  `;
  const child = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", "--input-type=module-typescript", "--eval", program],
    { cwd: folder.path, env: { ...process.env, NODE_PATH: "" } },
  );
  let errors = "";
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, errors })));
}

it.each(Object.entries(CLIENTS))(
  "a program that closed its store over %s ends by itself",
  async (_, client) => {
    const absolute = client.replace(
      "import('level')",
      `import(${JSON.stringify(import.meta.resolve("level"))})`,
    );
    expect(await run(absolute, "await store.close();")).toEqual({ code: 0, errors: "" });
  },
);

it.each(Object.entries(CLIENTS))(
  "a program that forgot to close its store over %s ends by itself too",
  async (_, client) => {
    const absolute = client.replace(
      "import('level')",
      `import(${JSON.stringify(import.meta.resolve("level"))})`,
    );
    expect(await run(absolute, "")).toEqual({ code: 0, errors: "" });
  },
);

it.each(["data.json", "data/"])(
  "names the permission that is missing for %s, and not the URL",
  async (name) => {
    const folder = temporaryFolder();
    folders.push(folder);
    const url = new URL(name, pathToFileURL(`${folder.path}/`)).href;
    const program = `
    import kv from ${JSON.stringify(source)};
    const error = await kv(${JSON.stringify(url)}).get("a").catch((error) => error);
    console.log(error.code, error.cause.code);
  `;
    const root = path.join(import.meta.dirname, "../..");
    const flags = [
      "--permission",
      ...["src", "node_modules", "package.json"].map(
        (own) => `--allow-fs-read=${path.join(root, own)}`,
      ),
      "--input-type=module-typescript",
      "--eval",
      program,
    ];
    const { stdout } = await promisify(execFile)(process.execPath, flags, {
      cwd: root,
      env: { ...process.env, NODE_PATH: "" },
    });
    expect(stdout.trim()).toBe("KV_CONNECTION ERR_ACCESS_DENIED");
  },
);
