import { describe, expect, test } from "vitest";
import { lockIsComplete, unlocked } from "./complete-lock.ts";
import { repositoryOf } from "./tidy/repository.ts";

const LOCK = {
  packages: {
    "node_modules/tool": {
      version: "1.2.0",
      dev: true as const,
      optionalDependencies: { "@tool/linux-x64": "1.2.0", "@tool/linux-arm64-musl": "^1.2.0" },
    },
    "node_modules/@tool/linux-x64": { version: "1.2.0" },
  },
};

describe("the lock", () => {
  test("a platform's package that is not locked is added for that platform alone", () => {
    expect([...unlocked(LOCK)]).toEqual([
      [
        "node_modules/@tool/linux-arm64-musl",
        {
          version: "1.2.0",
          cpu: ["arm64"],
          os: ["linux"],
          libc: ["musl"],
          optional: true,
          dev: true,
        },
      ],
    ]);
  });

  test("a lock that `npm ci` would refuse is refused here first", () => {
    const files = { "package-lock.json": JSON.stringify(LOCK) };
    expect(lockIsComplete(repositoryOf(files))).toHaveLength(1);
    expect(lockIsComplete(repositoryOf({ "package-lock.json": '{"packages":{}}' }))).toEqual([]);
  });
});
