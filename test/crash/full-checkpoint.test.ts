/** Checkpoints on a file system that is really small: refused for want of room, and taken up again. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { isStorageError, Manager } from "../../src/index.ts";

const MIB = 2 ** 20;
const OPTIONS = {
  segmentBytes: MIB,
  checkpointLogBytes: 2 * MIB,
  historyMs: 0,
  limits: { reserveBytes: MIB, admissionTimeoutMs: 200 },
};
const ROOM_MS_MAX = 20_000;
const WAITS_MS = 1500;

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

function refused(error: unknown): "refused" {
  if (isStorageError(error, "BOP_DISK_FULL")) return "refused";
  throw error;
}

/** As somebody sees it who has written nothing himself. */
async function countOf(manager: Manager): Promise<unknown> {
  const database = await manager.database("note");
  return database.prepare("select count(*) from note").pluck().get();
}

function canMount(): boolean {
  const mounting = "d=$(mktemp -d) && mount -t tmpfs -o size=64k tmpfs $d && umount $d; rmdir $d";
  return process.platform === "linux" && spawnSync("sh", ["-ec", mounting]).status === 0;
}

// evidence: G27
test.skipIf(!canMount())(
  "a store on a disk without room for a checkpoint refuses commits with the reason, reads on, and goes on by itself when a file is removed",
  async () => {
    const place = await mkdtemp(join(tmpdir(), "bop-small-"));
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=32m", "tmpfs", place]);
    onTestFinished(async () => {
      execFileSync("umount", [place]);
      await rm(place, { recursive: true, force: true });
    });
    const ballast = join(place, "ballast");
    await writeFile(ballast, new Uint8Array(8 * MIB));
    const directory = join(place, "store");
    let manager = await Manager.open({ directory, ...OPTIONS });
    const note = await manager.database("note");
    await note.exec("create table note (id integer primary key, body blob)");
    const insert = note.prepare("insert into note (body) values (randomblob(20000))");
    const insertRow = () => insert.run().then(() => "written" as const, refused);
    let rows = 0;
    let last: Promise<"written" | "refused"> = Promise.resolve("written");
    // Refused at the door, or let in just before that and waiting for room.
    const failure = () => manager.diagnostics().pages.checkpointFailure;
    for (let outcome = "written"; outcome === "written"; ) {
      last = insertRow();
      outcome = await Promise.race([last, sleep(WAITS_MS).then(() => "waits" as const)]);
      // A machine that is only slow answers in the end.
      if (outcome === "waits" && failure() === undefined) outcome = await last;
      if (outcome === "written") rows += 1;
    }
    expect(failure()).toMatch(/limits\.reserveBytes|ENOSPC/);
    expect(await countOf(manager)).toBe(rows);

    await rm(ballast);
    const endMs = Date.now() + ROOM_MS_MAX;
    while ((await last) === "refused" && Date.now() < endMs) {
      await sleep(100);
      last = insertRow();
    }
    expect(await last).toBe("written");
    await manager.close();

    manager = await Manager.open({ directory, ...OPTIONS });
    expect(await countOf(manager)).toBe(rows + 1);
    const check = (await manager.database("note")).prepare("pragma integrity_check");
    expect(await check.pluck().get()).toBe("ok");
    await manager.close();
  },
  120_000,
);
