import localForage from "localforage";
import * as react from "react";
import * as solid from "solid-js";
import { expect, it } from "vitest";
import * as vue from "vue";
import * as anykv from "../../src/index.ts";
import * as reactive from "../../src/reactive/index.ts";
import * as inReact from "../../src/reactive/react.ts";
import * as inSolid from "../../src/reactive/solid.ts";
import * as inSvelte from "../../src/reactive/svelte.ts";
import * as inVue from "../../src/reactive/vue.ts";
import * as withJotai from "../../src/with/jotai/index.ts";
import * as withReduxPersist from "../../src/with/redux-persist/index.ts";
import * as withZustand from "../../src/with/zustand/index.ts";
import { agrees, expectations, ofMarkdown, ofSource } from "../support/examples.ts";

const sources: Record<string, string> = import.meta.glob("../../src/**/*.ts", {
  query: "?raw",
  import: "default",
  eager: true,
});
const pages: Record<string, string> = import.meta.glob(["../../README.md", "../../docs/**/*.md"], {
  query: "?raw",
  import: "default",
  eager: true,
});
const examples = [
  ...Object.entries(pages).flatMap(([file, text]) => ofMarkdown(text, file)),
  ...Object.entries(sources).flatMap(([file, text]) => ofSource(text, file)),
].filter(({ kind }) => kind === "browser");
const modules: Record<string, object> = {
  anykv,
  localforage: { default: localForage },
  "anykv/reactive": reactive,
  "anykv/reactive/react": inReact,
  "anykv/reactive/solid": inSolid,
  "anykv/reactive/svelte": inSvelte,
  "anykv/reactive/vue": inVue,
  "anykv/with/jotai": withJotai,
  "anykv/with/redux-persist": withReduxPersist,
  "anykv/with/zustand": withZustand,
  react,
  "solid-js": solid,
  vue,
};

it("finds the examples for browsers", () => {
  expect(examples.length).toBeGreaterThanOrEqual(13);
});

it.each(examples)("$where prints what it says", async ({ code }) => {
  // A page's bundler resolves the imports; here they are taken from what the test has loaded.
  const body = code.replace(/^import (.+?) from "(.+?)";$/gm, (_, names: string, from: string) => {
    const pattern = names.startsWith("{")
      ? names
      : names.replace(/^(\w+)(?:, \{(.*)\})?$/, "{ default: $1, $2 }");
    return `const ${pattern} = modules[${JSON.stringify(from)}];`;
  });
  const numbered = body
    .split("\n")
    .map((line, i) => line.replaceAll("console.log(", `print(${i + 1}, `))
    .join("\n");
  const calls: [number, unknown[]][] = [];
  const program = new Function("modules", "print", `return (async () => {${numbered}\n})();`) as (
    modules: object,
    print: (line: number, ...args: unknown[]) => void,
  ) => Promise<void>;
  await program(modules, (line, ...args) => calls.push([line, args]));
  for (const [line, comment] of expectations(code)) {
    const printed = calls.filter(([at]) => at === line);
    expect(printed.length, `line ${line} was reached`).toBeGreaterThan(0);
    for (const [, args] of printed)
      expect(agrees(args, comment), `${JSON.stringify(args)} is ${comment}`).toBe(true);
  }
});
