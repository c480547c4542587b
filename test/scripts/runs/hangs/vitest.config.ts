import { defineConfig, type ViteUserConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

class ByName extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return files.toSorted((a, b) => a.moduleId.localeCompare(b.moduleId));
  }
}

const config: ViteUserConfig = defineConfig({
  test: {
    maxWorkers: 1,
    testTimeout: 600_000,
    sequence: { sequencer: ByName },
    projects: ["first", "second", "third"].map((name) => ({
      extends: true,
      test: { name, include: [`${name}.case.ts`], pool: "forks" },
    })),
  },
});

export default config;
