import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loggerTo } from "./logger.ts";

const FULL = "/dev/full";

test.skipIf(!existsSync(FULL))("a log on a full disk loses lines and throws nothing", () => {
  const fd = openSync(FULL, "w");
  try {
    const logger = loggerTo(fd, "info");
    for (let line = 0; line < 3; line += 1) logger.error("x");
    logger.fatal("y");
  } finally {
    closeSync(fd);
  }
});

test("a log writes each line before the call returns, from its level on", () => {
  const folder = mkdtempSync(join(tmpdir(), "bop-logger-"));
  const file = join(folder, "log");
  const fd = openSync(file, "w");
  try {
    const logger = loggerTo(fd, "warn");
    logger.info("left out");
    logger.warn("written");
    const lines = readFileSync(file, "utf8").trim().split("\n");
    expect(lines.map((line) => JSON.parse(line).msg)).toEqual(["written"]);
  } finally {
    closeSync(fd);
    rmSync(folder, { recursive: true, force: true });
  }
});
