import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts", "sim/**/*.test.ts", "scripts/**/*.test.ts"],
    // LMDB is a native add-on and SQLite a large WebAssembly instance: a process each, two at a time.
    pool: "forks",
    globalSetup: ["test/support/build.ts"],
    maxWorkers: 2,
    testTimeout: 60_000,
  },
});
