import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/**
 * Three kinds of tests, in the order in which they run. Folders that share processes keep nothing between
 * two files, and reading all modules again for each of some three hundred files would take as long as
 * the tests themselves; lives share theirs with one another, and no other test is in them. Whoever
 * kills processes or starts many has a process for each file.
 */
const testsOf = (folders: readonly string[]) => folders.map((folder) => `${folder}/**/*.test.ts`);
/** It lives off what is left of the stack, of which other files leave it more or less. */
const ENGINE = "src/sqlite/engine.test.ts";
const LIVES = testsOf(["sim"]);
const ALONE = [...testsOf(["test/contract", "test/crash"]), ENGINE];
const SHARING = testsOf(["src", "scripts", "test/embedded", "test/e2e"]);
const PROJECTS = ["lives", "alone", "sharing"];

/** Takes minutes: begun last, it would be all that runs at the end. */
const LONGEST = "sim/sim.test.ts";

/**
 * A process is shared only with the very next file: files of one kind stand together, those that take
 * least of the time last.
 */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const rank = ({ moduleId, project }: TestSpecification) =>
      moduleId.endsWith(LONGEST) ? -1 : PROJECTS.indexOf(project.name);
    return sorted.sort((a, b) => rank(a) - rank(b));
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
      { test: { ...COMMON, name: "lives", include: LIVES, isolate: false } },
      { test: { ...COMMON, name: "alone", include: ALONE } },
      { test: { ...COMMON, name: "sharing", include: SHARING, exclude: [ENGINE], isolate: false } },
    ],
  },
});
