/** What verification says of page maps, versions, families and snapshots: from rows alone. */
import { describe, expect, test } from "vitest";
import { lsn, streamId } from "../../base/units.ts";
import type {
  DatabaseRow,
  ManifestAudit,
  MapRowChange,
  MapVersionRow,
} from "../../manifest/index.ts";
import { Findings } from "./findings.ts";
import { MapJudge } from "./verify-maps.ts";

function database(stream: number, more: Partial<DatabaseRow> = {}): DatabaseRow {
  const size = { pageBytes: 512, pageCount: 600, lsn: lsn(95), createdAtMs: 1 };
  const birth = { createdLsn: lsn(10), family: streamId(1), flat: true };
  const family = stream === 1 ? {} : { origin: { stream: streamId(1), lsn: lsn(5) } };
  const own = { stream: streamId(stream), name: `db-${stream}`, engine: "sqlite" as const };
  return { ...own, state: "live", ...size, ...birth, ...family, ...more };
}

function version(stream: number, at: number, more: Partial<MapVersionRow> = {}): MapVersionRow {
  const size = { pageCount: 600, pageBytes: 512, commitLsn: lsn(at - 5), createdAtMs: 1 };
  return { stream: streamId(stream), lsn: lsn(at), ...size, changedRows: [0], ...more };
}

/** Row 0 names page 3; row 1 page 513 + 2. */
function row(stream: number, rowIndex: number, fromLsn: number): MapRowChange {
  const locations = new Float64Array(512);
  locations[2] = 2 ** 24 + 16;
  return { stream: streamId(stream), rowIndex, fromLsn: lsn(fromLsn), locations };
}

/** Stream 1 has versions of 50, 80 and 100; 2 is flat; 3 reads through 1 as of 80. All is well. */
const SOUND = {
  rows: [row(1, 0, 100), row(1, 0, 80), row(1, 0, 30), row(1, 1, 40), row(2, 0, 0), row(3, 1, 90)],
  databases: [
    database(1),
    database(2),
    database(3, {
      flat: false,
      createdLsn: lsn(85),
      origin: { stream: streamId(1), lsn: lsn(80) },
    }),
  ],
  mapVersions: [
    version(0, 100, { commitLsn: lsn(0), changedRows: [] }),
    version(1, 50, { changedRows: [] }),
    version(1, 80),
    version(1, 100),
  ],
  snapshots: [
    { stream: streamId(0), name: "all", lsn: lsn(96), createdAtMs: 1 },
    { stream: streamId(1), name: "noon", lsn: lsn(50), createdAtMs: 1 },
    { stream: streamId(2), name: "new", lsn: lsn(200), createdAtMs: 1 },
  ],
  forks: [{ origin: streamId(1), fork: streamId(3) }],
} as const;

type Said = Partial<Pick<ManifestAudit, "databases" | "mapVersions" | "snapshots" | "forks">>;

function findings(more: Said & { readonly rows?: readonly MapRowChange[] } = {}): string[] {
  const { rows, ...said } = { ...SOUND, ...more };
  const judge = new MapJudge();
  for (const each of rows) judge.add(each);
  const found = new Findings();
  const state = { checkpointLsn: lsn(100) };
  judge.check({ ...said, state } as unknown as ManifestAudit, found);
  return found.all.map(({ level, what }) => `${level}: ${what}`);
}

test("a family with versions and snapshots that say the same has no finding", () => {
  expect(findings()).toEqual([]);
});

describe("of rows of a page map it is told", () => {
  test("that they are of no database, once for all of them", () => {
    expect(findings({ rows: [row(9, 0, 1), row(9, 1, 1)] })).toEqual([
      "damage: the page map has pages of stream 9, which is no database",
    ]);
  });

  test("that no version sees them: they hold space, and nothing is lost", () => {
    const rows = [row(1, 0, 100), row(1, 0, 80), row(1, 0, 40), row(1, 0, 30), row(2, 0, 7)];
    expect(findings({ rows: [...rows, row(2, 0, 0)] })).toEqual([
      "note: row 0 of the page map, from LSN 30, counts for no version",
      "note: row 0 of the page map, from LSN 0, counts for no version",
    ]);
    expect(findings({ rows: [row(1, 0, 101)] })).toHaveLength(1);
  });

  test("that they name pages behind the end of a version that sees them", () => {
    const [store, ...versions] = SOUND.mapVersions;
    const small = versions.map((each, at) => (at === 1 ? { ...each, pageCount: 514 } : each));
    expect(findings({ mapVersions: [store, ...small] })).toEqual([
      "damage: the page map has page 515 of a database of 514 pages",
    ]);
    const databases = [database(1), database(2, { pageCount: 2 }), SOUND.databases[2]];
    expect(findings({ databases })).toEqual([
      "damage: the page map has page 3 of a database of 2 pages",
    ]);
  });

  test("that the version that wrote them does not list them", () => {
    const rows = [...SOUND.rows.slice(0, 3), row(1, 1, 70), row(1, 1, 40)];
    expect(findings({ rows })).toEqual([
      "damage: version 80 of the page map does not list row 1, which it wrote",
    ]);
  });
});

describe("of versions it is told", () => {
  const cases: readonly [what: string, version: MapVersionRow][] = [
    ["is of no database", version(9, 90)],
    ["is above the checkpoint", version(2, 101, { commitLsn: lsn(95) })],
    ["sees commit 91 above it", version(2, 90, { commitLsn: lsn(91) })],
  ];
  test.each(cases)("that one %s", (what, added) => {
    const all = findings({ mapVersions: [...SOUND.mapVersions, added] });
    expect(all.some((each) => each.startsWith("damage") && each.includes(what))).toBe(true);
  });

  test("that a newer one sees less, and that the newest is not what its database says", () => {
    const mapVersions = [version(1, 50), version(1, 80, { commitLsn: lsn(44) })];
    expect(findings({ mapVersions, rows: [] })).toEqual([
      "damage: version 80 of the page map of stream 1 sees less than the version before it",
      "damage: has 600 pages at LSN 95; its newest version has 600 at LSN 44",
    ]);
  });
});

describe("of families it is told", () => {
  const fork = SOUND.databases[2];

  test("that an origin is gone, is of another family, or is not in the table", () => {
    const alone = [{ ...fork, origin: { stream: streamId(7), lsn: lsn(80) } }];
    const forks = [{ origin: streamId(7), fork: streamId(3) }];
    const missing = { databases: alone, forks, mapVersions: [], rows: [], snapshots: [] };
    expect(findings(missing)).toEqual(["damage: reads through stream 7, which is not there"]);
    const other = [database(1), database(2), { ...fork, family: streamId(2) }];
    expect(findings({ databases: other })).toEqual([
      "damage: is of family 2, and its origin of family 1",
    ]);
    expect(findings({ forks: [] })).toEqual([
      "damage: reads through stream 1; the table of forks has it not",
    ]);
    const tooMany = [...SOUND.forks, { origin: streamId(1), fork: streamId(2) }];
    expect(findings({ forks: tooMany })).toEqual([
      'damage: the table of forks has "1 2", which is no fork',
    ]);
    const stranger = database(1, { family: streamId(4) });
    expect(findings({ databases: [stranger], rows: [], forks: [], snapshots: [] })).toEqual([
      "damage: is no fork, and of family 4",
    ]);
  });

  test("that what a fork reads through its origin is gone", () => {
    const origin = { stream: streamId(1), lsn: lsn(44) };
    const databases = [database(1), database(2), { ...fork, origin }];
    expect(findings({ databases })).toEqual([
      "damage: what it reads through db-1 at LSN 44 is gone",
    ]);
  });
});

describe("of snapshots it is told", () => {
  const snapshot = (stream: number, at: number) => ({
    ...{ stream: streamId(stream), name: "noon", createdAtMs: 1 },
    lsn: lsn(at),
  });

  test("that what they saw is gone, of each database that there was", () => {
    expect(findings({ snapshots: [snapshot(1, 44)] })).toEqual([
      "damage: what snapshot noon saw is gone",
    ]);
    // Of all: 2 and 3 have no version that old, either; 3 was made later.
    expect(findings({ snapshots: [snapshot(0, 44)] })).toEqual([
      "damage: what snapshot noon saw is gone",
      "damage: what snapshot noon saw is gone",
    ]);
    expect(findings({ snapshots: [snapshot(2, 95), snapshot(0, 9)] })).toEqual([]);
  });

  test("that they are of what is no database, or was dropped", () => {
    const gone = database(2, { state: "dropped", droppedLsn: lsn(96) });
    const databases = [database(1), gone, SOUND.databases[2]];
    const said = findings({ databases, snapshots: [snapshot(9, 90), snapshot(2, 95)] });
    expect(said).toEqual([
      "damage: snapshot noon is of stream 9, which is no database",
      "damage: snapshot noon is of stream 2, which is no database",
    ]);
    // One of all asks only for what was there at its moment.
    const early = { ...gone, droppedLsn: lsn(40) };
    expect(
      findings({
        databases: [early],
        snapshots: [snapshot(0, 44)],
        rows: [],
        forks: [],
        mapVersions: [],
      }),
    ).toEqual([]);
  });
});
