import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/**
 * Folders whose tests share processes: they keep nothing between two files, and reading all modules
 * again for each of some two hundred files would take as long as the tests themselves. Whoever kills
 * processes, starts many, or lives seeds has a process for each file.
 */
const SHARING = ["src", "scripts", "test/embedded", "test/e2e"].map(
  (folder) => `${folder}/**/*.test.ts`,
);
/** It lives off what is left of the stack, of which other files leave it more or less. */
const ENGINE = "src/sqlite/engine.test.ts";
const ALONE = [
  ...["test/contract", "test/crash", "sim"].map((folder) => `${folder}/**/*.test.ts`),
  ENGINE,
];

/** Takes minutes: begun last, it would be all that runs at the end. */
const LONGEST = "sim/sim.test.ts";

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isLongest = ({ moduleId }: TestSpecification) => moduleId.endsWith(LONGEST);
    return [...sorted.filter(isLongest), ...sorted.filter((file) => !isLongest(file))];
  }
}

const COMMON = {
  pool: "forks",
  testTimeout: 60_000,
  setupFiles: ["test/support/bytes-equal.ts"],
};

export default defineConfig({
  test: {
    ...COMMON,
    globalSetup: ["test/support/build.ts"],
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    projects: [
      { test: { ...COMMON, name: "sharing", include: SHARING, exclude: [ENGINE], isolate: false } },
      { test: { ...COMMON, name: "alone", include: ALONE } },
    ],
  },
});
