import { fileURLToPath } from "node:url";
import { playwright } from "@vitest/browser-playwright";
import { compile } from "svelte/compiler";
import type { Plugin } from "vite";
import { defineConfig, type ViteUserConfig } from "vitest/config";
import { SlowFirst } from "./scripts/sequencer.ts";
import { CHROMIUM } from "./test/support/chromium.ts";

const svelte: Plugin = {
  name: "svelte",
  transform: (code, id) =>
    id.endsWith(".svelte")
      ? compile(code, { filename: id, generate: "client" }).js.code
      : undefined,
};

const dist = fileURLToPath(new URL("./dist/", import.meta.url));

const config: ViteUserConfig = defineConfig({
  // `import "anykv"` in a test is the built package, as a user meets it; "../../src/…" is the
  // source.
  resolve: {
    alias: [
      { find: /^anykv$/, replacement: `${dist}index.js` },
      { find: /^anykv\/(.*)$/, replacement: `${dist}$1.js` },
    ],
  },
  test: {
    setupFiles: ["test/setup/random.ts"],
    // For tests in a browser too, which has no variables of an environment.
    env: { ANYKV_RUNS: process.env.ANYKV_RUNS ?? "", ANYKV_SEED: process.env.ANYKV_SEED ?? "" },
    globalSetup: ["scripts/temporary.mjs"],
    sequence: { sequencer: SlowFirst },
    // More than the two cores that CI has: half of the time is spent waiting for servers.
    maxWorkers: 4,
    // Against tests that hang, not against slow ones: a busy machine may take ten times as long.
    testTimeout: 240_000,
    hookTimeout: 240_000,
    expect: { poll: { timeout: 60_000 } },
    slowTestThreshold: 10_000,
    coverage: { provider: "v8", include: ["src/**/*.ts"] },
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["test/**/*.unit.test.ts"],
          pool: "threads",
        },
      },
      {
        extends: true,
        test: {
          name: "node",
          include: ["test/**/*.test.ts"],
          exclude: [
            "test/docs/**",
            "test/**/*.{unit,server,browser}.test.ts",
            "**/node_modules/**",
          ],
          pool: "forks",
          // Relative on purpose: the set-up file opens it in a folder of its own, one for each test
          // file.
          execArgv: [
            "--experimental-webstorage",
            "--localstorage-file=localstorage.db",
            "--disable-warning=ExperimentalWarning",
          ],
          setupFiles: ["test/setup/random.ts", "test/setup/web-storage.ts"],
        },
      },
      {
        extends: true,
        test: {
          name: "servers",
          include: ["test/**/*.server.test.ts"],
          pool: "forks",
        },
      },
      {
        extends: true,
        test: {
          name: "docs",
          include: ["test/docs/*.test.ts"],
          exclude: ["test/docs/*.{server,browser}.test.ts"],
        },
      },
      {
        extends: true,
        // Known beforehand, so that the page is not reloaded in the middle of a run.
        optimizeDeps: {
          include: [
            "nanoid",
            "fast-check",
            "localforage",
            "devalue",
            "zod",
            "zustand",
            "zustand/middleware",
            "@vue/reactivity",
            "vue",
            "react",
            "react-dom",
            "react-dom/client",
            "react-dom/server",
            "solid-js",
            "solid-js/store",
            "svelte",
            "svelte/internal/client",
            "svelte/internal/disclose-version",
          ],
        },
        plugins: [svelte],
        define: {
          __VUE_OPTIONS_API__: "true",
          __VUE_PROD_DEVTOOLS__: "false",
          __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: "false",
        },
        test: {
          name: "browser",
          include: ["test/**/*.browser.test.ts"],
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright({ launchOptions: CHROMIUM }),
            instances: [{ browser: "chromium" }],
          },
        },
      },
    ],
  },
});

export default config;
