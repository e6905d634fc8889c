/**
 * PAGE MAPS AGAINST WHAT THE MANIFEST SAYS OF THEM: versions, families, snapshots.
 *
 * (1) The *stations* of a database are its map versions; one that has none listed has a single one,
 *     which its own row describes.
 * (2) A row of a map counts for the stations from its LSN up to the next version of the row. None of
 *     them is smaller than the pages that the row names. One that counts for no station is of no use:
 *     a note.
 * (3) A row that is newer than the oldest station is in the list of the station that wrote it, so that
 *     it goes when nothing needs that station any more.
 * (4) What a snapshot, or a fork that reads through its origin, sees is there: a station of the
 *     database sees no commit above its moment.
 */
import type {
  DatabaseRow,
  ManifestAudit,
  MapRowChange,
  MapVersionRow,
} from "../../manifest/index.ts";
import { MAP_ROW_PAGES } from "../../manifest/index.ts";
import { NOWHERE } from "../../page-store/index.ts";
import type { Findings } from "./findings.ts";

/** What is kept of a row of a page map while the manifest is read. */
interface SeenRow {
  readonly stream: number;
  readonly rowIndex: number;
  readonly fromLsn: number;
  /** The last page that it names; 0 for none. */
  readonly last: number;
}

interface Station {
  readonly lsn: number;
  readonly pageCount: number;
  readonly commitLsn: number;
  readonly changedRows: ReadonlySet<number>;
}

export class MapJudge {
  readonly #rows: SeenRow[] = [];

  /** In order of key: a row's newest version first. */
  add({ stream, rowIndex, fromLsn, locations }: MapRowChange): void {
    const last = locations.findLastIndex((location) => location !== NOWHERE) + 1;
    const page = last === 0 ? 0 : rowIndex * MAP_ROW_PAGES + last;
    this.#rows.push({ stream, rowIndex, fromLsn, last: page });
  }

  check(audit: ManifestAudit, findings: Findings): void {
    const known = new Map(audit.databases.map((row) => [row.stream as number, row]));
    const stations = stationsOf(audit);
    this.#checkRows({ known, stations, findings });
    checkVersions({ known, stations, findings }, audit);
    checkFamilies({ known, stations, findings }, audit);
    checkSnapshots({ known, stations, findings }, audit);
  }

  #checkRows(seen: Seen): void {
    const lost = new Set<number>();
    for (const [index, row] of this.#rows.entries()) {
      const database = seen.known.get(row.stream);
      if (database === undefined) {
        if (!lost.has(row.stream)) {
          const what = `the page map has pages of stream ${row.stream}, which is no database`;
          seen.findings.damage({ file: "manifest" }, what);
        }
        lost.add(row.stream);
        continue;
      }
      const newer = this.#rows[index - 1];
      const isSame = newer?.stream === row.stream && newer.rowIndex === row.rowIndex;
      checkRow(row, { database, nextLsn: isSame ? newer.fromLsn : Number.POSITIVE_INFINITY }, seen);
    }
  }
}

interface Seen {
  readonly known: ReadonlyMap<number, DatabaseRow>;
  /** Of each database, oldest first. */
  readonly stations: ReadonlyMap<number, readonly Station[]>;
  readonly findings: Findings;
}

/** See (2) and (3). */
function checkRow(
  { stream, rowIndex, fromLsn, last }: SeenRow,
  { database, nextLsn }: { readonly database: DatabaseRow; readonly nextLsn: number },
  { stations, findings }: Seen,
): void {
  const all = stations.get(stream) ?? [];
  const place = { file: "manifest", database: database.name };
  const first = all.findIndex(({ lsn }) => lsn >= fromLsn);
  const seeing = all.filter(({ lsn }) => lsn >= fromLsn && lsn < nextLsn);
  if (seeing.length === 0) {
    const what = `row ${rowIndex} of the page map, from LSN ${fromLsn}, counts for no version`;
    findings.note(place, what);
    return;
  }
  const smallest = Math.min(...seeing.map(({ pageCount }) => pageCount));
  if (last > smallest) {
    const what = `the page map has page ${last} of a database of ${smallest} pages`;
    findings.damage({ ...place, page: last }, what);
  }
  if (first > 0 && all[first]?.changedRows.has(rowIndex) === false) {
    const what = `version ${all[first]?.lsn} of the page map does not list row ${rowIndex}`;
    findings.damage(place, `${what}, which it wrote`);
  }
}

function stationsOf({ databases, mapVersions }: ManifestAudit): Map<number, Station[]> {
  const stations = new Map<number, Station[]>();
  for (const { stream, lsn, pageCount, commitLsn, changedRows } of mapVersions) {
    const of = stations.get(stream) ?? [];
    of.push({ lsn, pageCount, commitLsn, changedRows: new Set(changedRows) });
    stations.set(stream, of);
  }
  for (const { stream, pageCount, lsn } of databases) {
    if (stations.has(stream)) continue;
    const only = { pageCount, commitLsn: lsn, changedRows: new Set<number>() };
    stations.set(stream, [{ lsn: Number.MAX_SAFE_INTEGER, ...only }]);
  }
  return stations;
}

/** Map versions against each other, against their databases, and against the checkpoint. */
function checkVersions({ known, stations, findings }: Seen, audit: ManifestAudit): void {
  const checkpointLsn = audit.state?.checkpointLsn ?? Number.MAX_SAFE_INTEGER;
  let before: MapVersionRow | undefined;
  for (const version of audit.mapVersions) {
    const { stream, lsn, commitLsn } = version;
    const database = known.get(stream)?.name;
    const place = { file: "manifest", ...(database !== undefined && { database }) };
    const what = `version ${lsn} of the page map of stream ${stream}`;
    if (stream !== 0 && database === undefined) {
      findings.damage(place, `${what} is of no database`);
    }
    if (lsn > checkpointLsn) findings.damage(place, `${what} is above the checkpoint`);
    if (commitLsn > lsn) findings.damage(place, `${what} sees commit ${commitLsn} above it`);
    if (before?.stream === stream && before.commitLsn > commitLsn) {
      findings.damage(place, `${what} sees less than the version before it`);
    }
    before = version;
  }
  for (const { stream, name, state, pageCount, lsn } of audit.databases) {
    const newest = stations.get(stream)?.at(-1);
    if (state !== "live" || newest === undefined) continue;
    if (newest.pageCount === pageCount && newest.commitLsn === lsn) continue;
    const what = `has ${pageCount} pages at LSN ${lsn}; its newest version has ${newest.pageCount}`;
    findings.damage({ file: "manifest", database: name }, `${what} at LSN ${newest.commitLsn}`);
  }
}

/** Origins that are read through are there, of the same family, and in the table of forks. */
function checkFamilies(seen: Seen, { databases, forks }: ManifestAudit): void {
  const { known, findings } = seen;
  const listed = new Set(forks.map(({ origin, fork }) => `${origin} ${fork}`));
  for (const { stream, name, family, origin, flat } of databases) {
    const place = { file: "manifest", database: name };
    if (origin === undefined || flat) {
      if (origin === undefined && !(flat && family === stream)) {
        findings.damage(place, `is no fork, and of family ${family}`);
      }
      continue;
    }
    if (!listed.delete(`${origin.stream} ${stream}`)) {
      findings.damage(
        place,
        `reads through stream ${origin.stream}; the table of forks has it not`,
      );
    }
    const from = known.get(origin.stream);
    if (from === undefined) {
      findings.damage(place, `reads through stream ${origin.stream}, which is not there`);
    } else if (from.family !== family) {
      findings.damage(place, `is of family ${family}, and its origin of family ${from.family}`);
    } else if (!isSeen(seen, origin.stream, origin.lsn)) {
      findings.damage(place, `what it reads through ${from.name} at LSN ${origin.lsn} is gone`);
    }
  }
  for (const each of listed) {
    findings.damage({ file: "manifest" }, `the table of forks has "${each}", which is no fork`);
  }
}

function checkSnapshots(seen: Seen, { databases, snapshots }: ManifestAudit): void {
  const { known, findings } = seen;
  for (const { stream, name, lsn } of snapshots) {
    const file = "manifest";
    const database = known.get(stream);
    if (stream !== 0 && (database === undefined || database.state === "dropped")) {
      findings.damage({ file }, `snapshot ${name} is of stream ${stream}, which is no database`);
      continue;
    }
    const wasThere = ({ createdLsn, droppedLsn, state }: DatabaseRow): boolean =>
      state !== "importing" && createdLsn <= lsn && (droppedLsn ?? lsn + 1) > lsn;
    const all = database === undefined ? databases.filter(wasThere) : [database];
    for (const each of all) {
      if (isSeen(seen, each.stream, lsn)) continue;
      findings.damage({ file, database: each.name }, `what snapshot ${name} saw is gone`);
    }
  }
}

/** See (4). */
function isSeen({ stations }: Seen, stream: number, atLsn: number): boolean {
  return stations.get(stream)?.some(({ commitLsn }) => commitLsn <= atLsn) ?? false;
}
