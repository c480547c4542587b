// Installs the packed package beside older majors of the libraries that it works with.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * The projects: what is installed beside the package, and the entries that need a newer version.
 */
const projects = [
  {
    beside: {
      keyv: "4.5.4",
      "lru-cache": "6.0.0",
      react: "17.0.2",
      vue: "2.7.16",
      redis: "3.1.2",
      level: "7.0.1",
      pg: "7.18.2",
      "solid-js": "1.7.12",
      "@vue/reactivity": "3.5.45",
    },
    tooOld: [
      ["anykv/reactive/react", "needs react 18 or later, but version 17.0.2 is installed"],
      ["anykv/reactive/vue", "needs vue 3.5 or later, but version 2.7.16 is installed"],
    ],
    works: ["anykv/reactive/solid"],
  },
  {
    beside: { "lru-cache": "7.18.3", "@vue/reactivity": "3.4.38", wasmoon: "1.15.1" },
    tooOld: [
      ["anykv/reactive", "needs @vue/reactivity 3.5 or later, but an older version is installed"],
      ["anykv/lua", "needs wasmoon 1.16 or later, but an older version is installed"],
    ],
    works: [],
  },
];

const program = `
const [, , tooOld, works] = process.argv;
const { default: kv } = await import("anykv");
const store = kv(new Map());
await store.set("key", "value");
if ((await store.get("key")) !== "value") throw new Error("the value was not kept");

async function use(entry) {
  const { installKV } = await import(entry);
  if (installKV === undefined) return;
  const { LuaFactory } = await import("wasmoon");
  installKV(await new LuaFactory().createEngine(), { namespace() {} });
}
for (const entry of JSON.parse(works)) await use(entry);
for (const [entry, text] of JSON.parse(tooOld)) {
  const error = await use(entry).then(() => "none", (error) => error);
  if (error.code === "KV_NOT_SUPPORTED" && error.message.startsWith(entry + " " + text)) continue;
  throw new Error(entry + ": " + text + ": expected, but the error was: " + error);
}
`;

/**
 * Installs the tarball in each project, and uses it there. Resolves to the packages that were
 * beside it.
 */
export async function besideOlderMajors(tarball, folder, { run, node }) {
  const install = async ({ beside, tooOld, works }, index) => {
    const cwd = join(folder, `older${index}`);
    mkdirSync(cwd);
    const manifest = { name: "user", private: true, type: "module", dependencies: beside };
    writeFileSync(join(cwd, "package.json"), JSON.stringify(manifest));
    writeFileSync(join(cwd, "program.mjs"), program);
    const flags = [
      "--ignore-scripts",
      "--prefer-offline",
      "--no-audit",
      "--no-fund",
      "--loglevel=error",
    ];
    await run("npm", ["install", ...flags, tarball], cwd);
    await run(node, ["program.mjs", JSON.stringify(tooOld), JSON.stringify(works)], cwd);
    return Object.entries(beside).map(([name, version]) => `${name} ${version}`);
  };
  return (await Promise.all(projects.map(install))).flat();
}
