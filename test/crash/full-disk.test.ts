/** A store on a file system that is really full: killed, and opened again by one process after the other. */
import { execFileSync, spawnSync } from "node:child_process";
import { closeSync, openSync, statSync, writeSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { programCommand } from "../support/programs.ts";

const ROWS = 40;

function canMount(): boolean {
  const mounting = "d=$(mktemp -d) && mount -t tmpfs -o size=64k tmpfs $d && umount $d; rmdir $d";
  return process.platform === "linux" && spawnSync("sh", ["-ec", mounting]).status === 0;
}

/** Takes what there is, to the last block. */
function fill(path: string): void {
  const file = openSync(path, "w");
  const block = new Uint8Array(4096).fill(1);
  try {
    while (writeSync(file, block) > 0);
  } catch {
    // ENOSPC, which was wanted.
  } finally {
    closeSync(file);
  }
}

// evidence: G1, G10
test.skipIf(!canMount())(
  "a store that was killed on a full disk is opened, read and exported there, time after time, and takes commits when there is room",
  async () => {
    const place = await mkdtemp(join(tmpdir(), "bop-full-"));
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=12m", "tmpfs", place]);
    onTestFinished(async () => {
      execFileSync("umount", [place]);
      await rm(place, { recursive: true, force: true });
    });
    const copies = await mkdtemp(join(tmpdir(), "bop-copies-"));
    onTestFinished(() => rm(copies, { recursive: true, force: true }));
    const [store, ballast] = [join(place, "store"), join(place, "ballast")];
    const program = programCommand("test/crash/full-disk-writer.ts");
    const start = (...args: string[]) =>
      spawnSync(process.execPath, [...program, store, ...args], {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "inherit"],
      }).stdout;
    start("fill", String(ROWS));
    fill(ballast);
    let round = 0;
    const reopen = (end: string) => JSON.parse(start("reopen", join(copies, `${round++}.db`), end));
    for (const end of ["kill", "kill", "close", "kill", "kill"]) {
      expect(reopen(end)).toEqual({ rows: ROWS, write: "BOP_DISK_FULL" });
      expect(statSync(join(copies, `${round - 1}.db`)).size).toBeGreaterThan(0);
    }
    expect(reopen(ballast)).toEqual({ rows: ROWS, write: "BOP_DISK_FULL", after: "done" });
    expect(reopen("close")).toEqual({ rows: ROWS + 1, write: "done" });
  },
  120_000,
);
