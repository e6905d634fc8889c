import { defineConfig } from "vitest/config";

/**
 * Folders whose tests share processes: they keep nothing between two files, and reading all modules
 * again for each of some two hundred files would take as long as the tests themselves. Whoever kills
 * processes, starts many, or lives seeds has a process for each file.
 */
const SHARING = ["src", "scripts", "test/embedded", "test/e2e"].map(
  (folder) => `${folder}/**/*.test.ts`,
);
const ALONE = ["test/contract", "test/crash", "sim"].map((folder) => `${folder}/**/*.test.ts`);

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
    projects: [
      { test: { ...COMMON, name: "sharing", include: SHARING, isolate: false } },
      { test: { ...COMMON, name: "alone", include: ALONE } },
    ],
  },
});
