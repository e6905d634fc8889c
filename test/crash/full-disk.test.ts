/** A store on a file system that is really full: killed, and opened again by one process after the other. */
import { execFileSync, spawnSync } from "node:child_process";
import { closeSync, openSync, statSync, writeSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";

const DIST = join(import.meta.dirname, "../../dist/index.js");
const ROWS = 40;
const OPEN = `
const [directory, copy, end] = process.argv.slice(1);
const { Manager } = await import(${JSON.stringify(DIST)});
const { unlinkSync } = await import("node:fs");
const manager = await Manager.open({ directory, segmentBytes: 1 << 20 });
const note = await manager.database("note");
const told = {};
const insert = () => note.prepare("insert into note values (1)").run().then(() => "done", (it) => it.code);
`;
const FILL = `${OPEN}
await note.exec("create table note (n)");
await new Promise((resolve) => setTimeout(resolve, 300));
for (let n = 0; n < ${ROWS}; n++) await insert();
process.kill(process.pid, "SIGKILL");
`;
const REOPEN = `${OPEN}
told.rows = await note.prepare("select count(*) from note").pluck().get();
told.write = await insert();
await note.export(copy);
if (end.startsWith("/")) {
  unlinkSync(end);
  for (let n = 0; n < 100 && told.after !== "done"; n++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    told.after = await insert();
  }
}
process.stdout.write(JSON.stringify(told), async () => {
  if (end === "kill") process.kill(process.pid, "SIGKILL");
  await manager.close();
});
`;

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
    const node = (program: string, ...values: string[]) => {
      const args = ["--input-type=module", "-e", program, store, ...values];
      return spawnSync(process.execPath, args, { encoding: "utf8" }).stdout;
    };
    node(FILL, "", "");
    fill(ballast);
    let round = 0;
    const reopen = (end: string) => JSON.parse(node(REOPEN, join(copies, `${round++}.db`), end));
    for (const end of ["kill", "kill", "close", "kill", "kill"]) {
      expect(reopen(end)).toEqual({ rows: ROWS, write: "BOP_DISK_FULL" });
      expect(statSync(join(copies, `${round - 1}.db`)).size).toBeGreaterThan(0);
    }
    expect(reopen(ballast)).toEqual({ rows: ROWS, write: "BOP_DISK_FULL", after: "done" });
    expect(reopen("close")).toEqual({ rows: ROWS + 1, write: "done" });
  },
  120_000,
);
