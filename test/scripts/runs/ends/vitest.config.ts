import { defineConfig, type ViteUserConfig } from "vitest/config";

const config: ViteUserConfig = defineConfig({
  test: {
    projects: ["good", "bad"].map((name) => ({ test: { name, include: [`${name}*.case.ts`] } })),
  },
});

export default config;
