/**
 * DATABASES THAT THERE ARE, by stream and by name, and which there were when the log was
 * durable up to an LSN. The catalogue's, which alone changes them; see its invariants.
 *
 * (1) A name belongs to one database that is live or being imported. A dropped one leaves a tombstone,
 *     which has no name.
 * (2) What a change replaced is kept until the change is durable: `at` and `page` show what was.
 */
import { assert, present } from "../../base/assert.ts";
import type { Lsn, StreamId } from "../../base/units.ts";
import type { CatalogueRow } from "./catalogue-row.ts";
import { compare, NameIndex } from "./name-index.ts";

interface ListRequest {
  readonly durableLsn: Lsn;
  readonly prefix: string;
  /** Only names behind it. */
  readonly after: string;
  readonly limit: number;
}

/** Databases as they were at an LSN that is durable. */
export interface DatabasesAt {
  /** Undefined for one that was not there yet, and for one whose tombstone is gone. */
  row(stream: StreamId): CatalogueRow | undefined;
  /** Those of a family, tombstones included, in no order. */
  family(family: StreamId): CatalogueRow[];
  /** Roots of families with more than one member. */
  roots(): StreamId[];
}

interface Replaced {
  readonly lsn: Lsn;
  readonly stream: StreamId;
  /** Undefined where there was none. */
  readonly before: CatalogueRow | undefined;
}

export class KnownDatabases {
  readonly #rows = new Map<StreamId, CatalogueRow>();
  readonly #byName = new NameIndex<CatalogueRow>();
  /** Tombstones, and imports that have not ended: few of many. */
  readonly #rare = new Set<StreamId>();
  /** See (2). In order of LSN. */
  readonly #replaced: Replaced[] = [];

  constructor(rows: Iterable<CatalogueRow>) {
    for (const row of rows) this.put(row);
  }

  /** Without tombstones. */
  get count(): number {
    return this.#byName.size;
  }

  find(name: string): CatalogueRow | undefined {
    return this.#byName.get(name);
  }

  row(stream: StreamId): CatalogueRow | undefined {
    return this.#rows.get(stream);
  }

  /** One that must be live. */
  live(stream: StreamId): CatalogueRow {
    const row = this.#rows.get(stream);
    assert(row?.state === "live", () => `catalogue: database ${stream} is not live`);
    return row;
  }

  /** All that there are, tombstones included. */
  all(): Iterable<CatalogueRow> {
    return this.#rows.values();
  }

  /** Tombstones. */
  dropped(): CatalogueRow[] {
    return this.#rareOnes().filter(({ state }) => state === "dropped");
  }

  /** Those whose import has not ended. */
  importing(): CatalogueRow[] {
    return this.#rareOnes().filter(({ state }) => state === "importing");
  }

  /** Tombstones that a checkpoint at `lsn` removes, unless somebody reads through them. */
  removableAt(lsn: Lsn): StreamId[] {
    return this.#rareOnes().flatMap(({ stream, droppedLsn }) =>
      droppedLsn !== undefined && droppedLsn <= lsn ? [stream] : [],
    );
  }

  /** Live ones as they were at an LSN that is durable, in order of name, a page of them. See (2). */
  page(wanted: ListRequest): CatalogueRow[] {
    const { durableLsn, prefix, after, limit } = wanted;
    const isWanted = ({ name }: CatalogueRow) => name > after && name.startsWith(prefix);
    const undone = this.#undone(durableLsn);
    const former = [...undone.values()].flatMap((row) =>
      row?.state === "live" && isWanted(row) ? [row] : [],
    );
    const page: CatalogueRow[] = [];
    for (const [name, row] of this.#byName.from(compare(after, prefix) < 0 ? prefix : after)) {
      if (page.length === limit || !(name.startsWith(prefix) || name < prefix)) break;
      if (row.state === "live" && isWanted(row) && !undone.has(row.stream)) page.push(row);
    }
    if (former.length === 0) return page;
    return [...page, ...former].sort((a, b) => compare(a.name, b.name)).slice(0, limit);
  }

  /** What there was at an LSN that is durable. See (2). */
  at(durableLsn: Lsn): DatabasesAt {
    const undone = this.#undone(durableLsn);
    const row = (stream: StreamId) =>
      undone.has(stream) ? undone.get(stream) : this.#rows.get(stream);
    const all = (): CatalogueRow[] => [...this.#rows.keys()].flatMap((stream) => row(stream) ?? []);
    return {
      row,
      family: (family) => all().filter((member) => member.family === family),
      roots: () => {
        const forks = all().filter(({ stream, family }) => stream !== family);
        return [...new Set(forks.map(({ family }) => family))];
      },
    };
  }

  /** The row as it is from now on. */
  put(row: CatalogueRow): void {
    const { stream, state, name } = row;
    const before = this.#rows.get(stream);
    if (before !== undefined && this.#byName.get(before.name) === before) {
      this.#byName.delete(before.name);
    }
    this.#rows.set(stream, row);
    if (state === "live") this.#rare.delete(stream);
    else this.#rare.add(stream);
    if (state !== "dropped") this.#byName.set(name, row);
  }

  /** The change at this LSN, which is about to be put, replaces the row. See (2). */
  replaceAt(lsn: Lsn, stream: StreamId): void {
    this.#replaced.push({ lsn, stream, before: this.#rows.get(stream) });
  }

  /** Nobody asks for what was before this LSN any more. */
  settle(durableLsn: Lsn): void {
    let settled = 0;
    while ((this.#replaced[settled]?.lsn ?? Number.POSITIVE_INFINITY) <= durableLsn) settled += 1;
    if (settled > 0) this.#replaced.splice(0, settled);
  }

  /** Tombstones that are gone from the manifest. */
  remove(streams: readonly StreamId[]): void {
    for (const stream of streams) {
      this.#rows.delete(stream);
      this.#rare.delete(stream);
    }
  }

  /** Rows that changed behind the LSN, as they were at it: undefined where there was none. */
  #undone(durableLsn: Lsn): Map<StreamId, CatalogueRow | undefined> {
    const undone = new Map<StreamId, CatalogueRow | undefined>();
    for (const { lsn, stream, before } of this.#replaced) {
      if (lsn > durableLsn && !undone.has(stream)) undone.set(stream, before);
    }
    return undone;
  }

  #rareOnes(): CatalogueRow[] {
    return [...this.#rare].map((stream) => present(this.#rows.get(stream), "it has a row"));
  }
}
