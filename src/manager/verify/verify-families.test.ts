/** Stores with forks, snapshots and versions of page maps, verified from end to end. */
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { lsn, streamId } from "../../base/units.ts";
import {
  type Manifest,
  type ManifestChange,
  openLmdbStore,
  openManifest,
} from "../../manifest/index.ts";
import { Manager } from "../manager.ts";
import { deadEnv, verified } from "./verify.fixture.ts";

const NOW = lsn(Number.MAX_SAFE_INTEGER);

let folder = "";
let clean = "";
let crashed = "";

async function fill(manager: Manager, name: string, value: string): Promise<void> {
  const database = await manager.database(name);
  await database.prepare("update t set x = ? where id % 7 = 0").run(value);
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "bop-families-"));
  [clean, crashed] = [join(folder, "clean"), join(folder, "crashed")];
  const manager = await Manager.open({ directory: clean, segmentBytes: 1024 * 1024 });
  for (const name of ["alpha", "beta"]) {
    const database = await manager.database(name);
    await database.exec("create table t (id integer primary key, x text)");
    await database.transaction(async (tx) => {
      for (let id = 0; id < 200; id += 1) {
        await tx.prepare("insert into t values (?, ?)").run(id, "x".repeat(2000));
      }
    });
  }
  await manager.checkpoint();
  const alpha = await manager.database("alpha");
  await alpha.snapshot("noon");
  await fill(manager, "alpha", "after noon");
  await manager.checkpoint();
  await alpha.fork("try");
  await manager.snapshot("all");
  await fill(manager, "try", "tried");
  await fill(manager, "alpha", "after all");
  await manager.checkpoint();
  await (await manager.database("try")).fork("again");
  await fill(manager, "again", "tried again");
  const beta = await manager.database("beta");
  await beta.fork("heir");
  await fill(manager, "heir", "inherited");
  await manager.checkpoint();
  await manager.drop("beta");
  await fill(manager, "alpha", "in the log");
  await alpha.snapshot("late");
  await alpha.fork("unsaved");
  await fill(manager, "unsaved", "in the log too");
  await fill(manager, "unsaved", "and again");
  cpSync(clean, crashed, { recursive: true });
  await manager.close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A copy of the clean store, after a change of its manifest that breaks none of its rules. */
async function changed(name: string, change: (manifest: Manifest) => ManifestChange) {
  const directory = join(folder, name);
  cpSync(clean, directory, { recursive: true });
  const manifest = await openManifest({
    openStore: openLmdbStore,
    directory: join(directory, "manifest"),
    storeIdForNew: new Uint8Array(16),
    clock: deadEnv(directory).clock,
  });
  try {
    await manifest.publish(change(manifest));
  } finally {
    await manifest.close();
  }
  return verified(directory);
}

function streamOf({ opened }: Manifest, name: string) {
  return streamId(opened.databases.find((row) => row.name === name)?.stream ?? 0);
}

describe("a family of databases", () => {
  // evidence: G21
  test("has no finding, after a clean stop and after a crash", async () => {
    const report = await verified(clean);
    expect(report.findings).toEqual([]);
    expect(report.checked.pages).toBeGreaterThan(200);
    const afterCrash = (await verified(crashed)).findings;
    expect(afterCrash.filter(({ level }) => level === "damage")).toEqual([]);
  });

  // evidence: G4
  test("in which a map names another page of its own is told the page and the place", async () => {
    const { findings } = await changed("swapped", (manifest) => {
      const row = manifest.mapRowVersions(streamOf(manifest, "try"), 0).at(-1);
      if (row === undefined) throw new Error("the fork has a row");
      const locations = row.locations.slice();
      [locations[1], locations[2]] = [row.locations[2] ?? 0, row.locations[1] ?? 0];
      return { putMapRows: [{ ...row, locations }] };
    });
    expect(findings.map(({ level, database, page }) => [level, database, page]).sort()).toEqual([
      ["damage", "try", 2],
      ["damage", "try", 3],
    ]);
  });

  // evidence: G4
  test("in which a map names the page of a stranger is told so, though the numbers agree", async () => {
    const { findings } = await changed("stranger", (manifest) => {
      const of = (name: string) => {
        const row = manifest.mapRow(streamOf(manifest, name), 0, NOW);
        if (row === undefined) throw new Error(`${name} has a row`);
        return { ...row, stream: streamOf(manifest, name), rowIndex: 0 };
      };
      const [mine, theirs] = [of("try"), of("heir")];
      const swap = { mine: mine.locations.slice(), theirs: theirs.locations.slice() };
      [swap.mine[4], swap.theirs[4]] = [theirs.locations[4] ?? 0, mine.locations[4] ?? 0];
      return {
        putMapRows: [
          { ...mine, locations: swap.mine },
          { ...theirs, locations: swap.theirs },
        ],
      };
    });
    const told = findings.map(({ level, database, page }) => [level, database, page]);
    expect(told.sort()).toEqual([
      ["damage", "heir", 5],
      ["damage", "try", 5],
    ]);
  });

  test("whose snapshot lost the version that it saw is told which", async () => {
    const { findings } = await changed("lost", (manifest) => {
      const stream = streamOf(manifest, "alpha");
      const versions = manifest.opened.mapVersions.filter((row) => row.stream === stream);
      return { removeMapVersions: versions.slice(0, -1) };
    });
    const damages = findings.filter(({ level }) => level === "damage");
    expect(damages.map(({ what }) => what)).toContain("what snapshot noon saw is gone");
  });
});
