import { existsSync, readdirSync } from "node:fs";
import { defineConfig } from "tsup";

const source = (name: string): string => (existsSync(`src/${name}.ts`) ? `src/${name}.ts` : `src/${name}/index.ts`);
const faces = ["codec", "conformance", "atomic", "versioned", "http", "namespace", "lua", "schema", "reactive"];
const bindings = ["react", "vue", "svelte", "solid"].map((name) => `reactive/${name}`);
const clients = readdirSync("src/clients").filter((file) => file.endsWith(".ts") && file !== "define.ts");

const config: ReturnType<typeof defineConfig> = defineConfig({
  entry: {
    index: "src/index.ts",
    ...Object.fromEntries([...faces, ...bindings].map((name) => [name, source(name)])),
    ...Object.fromEntries(clients.map((file) => [`clients/${file.slice(0, -3)}`, `src/clients/${file}`])),
  },
  format: "esm",
  platform: "neutral",
  target: "es2022",
  splitting: true,
  dts: true,
  clean: true,
  outDir: "dist",
  // tsup would turn "node:sqlite" into "sqlite", which does not exist.
  removeNodeProtocol: false,
  external: [/^node:/, /^bun:/],
  // Everything in node_modules stays an import, so that a forgotten dependency shows in the package check.
  skipNodeModulesBundle: true,
  noExternal: ["devalue"],
});

export default config;
