import { defineConfig } from "vitest/config";

/**
 * Folders whose tests share processes: they keep nothing between two files, and reading all modules
 * again for each of some hundred files would take as long as the tests themselves.
 */
const UNITS = [
  "base",
  "io",
  "sink",
  "chunk",
  "wal",
  "manifest",
  "write",
  "page-cache",
  "page-store",
  "sqlite-file",
  "record-log",
].map((folder) => `src/${folder}/**/*.test.ts`);

const COMMON = { pool: "forks", testTimeout: 60_000 } as const;

export default defineConfig({
  test: {
    ...COMMON,
    globalSetup: ["test/support/build.ts"],
    maxWorkers: 2,
    projects: [
      { test: { ...COMMON, name: "units", include: UNITS, isolate: false } },
      {
        test: {
          ...COMMON,
          name: "stores",
          // SQLite is a large WebAssembly instance: a process for each file.
          include: ["src", "test", "sim", "scripts"].map((folder) => `${folder}/**/*.test.ts`),
          exclude: ["**/node_modules/**", ...UNITS],
        },
      },
    ],
  },
});
