/**
 * VERSIONS OF PAGE MAPS THAT COME AND GO with one commit of the manifest: what version-plan.ts
 * decides, carried out on the rows.
 *
 * (1) What is to go is condemned from here on: nobody may begin to use it.
 * (2) Of a database that was dropped, and that nobody needs any more, everything goes.
 */
import { present } from "../../base/assert.ts";
import { CATALOGUE_STREAM, LSN_ZERO, type Lsn, type StreamId } from "../../base/units.ts";
import type { MapVersionKey, MapVersionRow } from "../../manifest/index.ts";
import type { Part } from "../checkpoint/parts.ts";
import type { Slices } from "../checkpoint/slices.ts";
import type { Moment } from "../versions/moments.ts";
import type { Pins } from "../versions/pins.ts";
import type { MapDraft } from "./map-draft.ts";
import type { MapVersions } from "./map-versions.ts";
import { rowCount } from "./page-map.ts";
import { planVersions, type RowsGone } from "./version-plan.ts";

export interface VersionGround {
  readonly table: MapVersions;
  readonly pins: Pick<Pins, "of" | "isDropped">;
  readonly draft: MapDraft;
  readonly slices: Slices;
  /** Pins that were let go at or below it do not count any more. */
  readonly asOf: Lsn;
  readonly horizonLsn: Lsn;
  readonly nowMs: number;
  /** Nothing will come of it. */
  readonly isDry?: boolean;
  /** Moments that are held in memory, but for those that go on to the maps of the part. */
  readonly inUse: (stream: StreamId, part: Part | undefined, over: MomentCounts) => Iterable<Lsn>;
  /** When the only version of a database was made, as far as is known. */
  readonly createdAtMs: (stream: StreamId) => number;
}

/** How often moments are pinned by those who are about to end. */
export type MomentCounts = ReadonlyMap<Moment, number>;

interface Outcome {
  readonly before: readonly MapVersionRow[];
  /** What the manifest is to have of versions: none if only one is left. */
  readonly after: readonly MapVersionRow[];
  /** The newest version that is left. */
  readonly newest: MapVersionRow | undefined;
}

export class VersionDrops {
  readonly #ground: VersionGround;
  readonly #outcomes = new Map<StreamId, Outcome>();
  /** Moments of origins that dropped forks read through, which end with this. */
  readonly #over = new Map<Moment, number>();
  #gone = 0;

  constructor(ground: VersionGround) {
    this.#ground = ground;
  }

  /** Versions that go. */
  get count(): number {
    return this.#gone;
  }

  /** Undefined: nothing of the database is left. */
  newest(stream: StreamId): MapVersionRow | undefined {
    return this.#outcomes.get(stream)?.newest;
  }

  /**
   * What becomes of the versions of the parts, and of all databases with more than one. Forks come
   * before what they read through: with a fork that ends, what it read is free.
   */
  async run(parts: ReadonlyMap<StreamId, Part>): Promise<void> {
    const { table, slices } = this.#ground;
    for (const stream of new Set([...[...parts.keys()].reverse(), ...table.streams])) {
      await slices.pause();
      await this.#runOne(stream, parts.get(stream));
    }
  }

  async changes(): Promise<{
    readonly put: MapVersionRow[];
    readonly remove: MapVersionKey[];
  }> {
    const put: MapVersionRow[] = [];
    const remove: MapVersionKey[] = [];
    for (const { before, after } of this.#outcomes.values()) {
      await this.#ground.slices.aside();
      if (before.length === 0 && after.length === 0) continue;
      const known = new Map(before.map((row) => [row.lsn, row]));
      for (const row of after) if (!isSame(known.get(row.lsn), row)) put.push(row);
      const stays = new Set(after.map(({ lsn }) => lsn));
      for (const { stream, lsn } of before) if (!stays.has(lsn)) remove.push({ stream, lsn });
    }
    return { put, remove };
  }

  /** The manifest has it, and its maps are about to be in memory: in the same go. */
  installed(stream: StreamId): void {
    const outcome = this.#outcomes.get(stream);
    if (outcome !== undefined) this.#ground.table.put(stream, outcome.after);
  }

  /** The manifest has all of it. What goes stays condemned until all of it is known to be gone. */
  async published(): Promise<void> {
    const { table, slices } = this.#ground;
    for (const [stream, { after }] of this.#outcomes) {
      await slices.aside();
      table.put(stream, after);
    }
    table.removed();
  }

  async #runOne(stream: StreamId, part: Part | undefined): Promise<void> {
    const { table, pins, asOf, horizonLsn, inUse, draft } = this.#ground;
    const before = table.of(stream);
    const versions = this.#versions(stream, part);
    const isLive = !pins.isDropped(stream, asOf);
    const wanted = new Set([...pins.of(stream, asOf), ...inUse(stream, part, this.#over)]);
    const plan = planVersions({
      versions,
      pins: [...wanted].sort((a, b) => a - b),
      isLive,
      horizonLsn,
    });
    this.#gone += plan.gone.length;
    if (this.#ground.isDry !== true) table.condemn(stream, plan.gone);
    if (plan.everything) {
      const moment = part?.database.base?.moment;
      if (moment !== undefined) this.#over.set(moment, (this.#over.get(moment) ?? 0) + 1);
      await this.#removeAll(stream, versions, part);
    } else for (const gone of plan.rows) await this.#removeRows(stream, gone);
    const byLsn = new Map(versions.map((row) => [row.lsn, row]));
    const kept = plan.kept.map(({ lsn, changedRows }) => ({
      ...present(byLsn.get(lsn), "a version that was planned"),
      changedRows,
    }));
    const after = kept.length > 1 ? kept : [];
    this.#outcomes.set(stream, { before, after, newest: kept.at(-1) });
    if (kept.length > 1 || part === undefined || part.database.base !== undefined) return;
    // A row of nothing hides nothing where there is nothing behind it.
    for (const [index, { commitLsn: fromLsn }] of part.layers.entries()) {
      for (const rowIndex of part.edits[index]?.changed.keys() ?? []) {
        draft.omitIfEmpty({ stream, rowIndex, fromLsn });
      }
    }
  }

  /** Those that there are, and those that the part makes. */
  #versions(stream: StreamId, part: Part | undefined): readonly MapVersionRow[] {
    const { table, nowMs, createdAtMs } = this.#ground;
    const known = table.of(stream);
    if (part === undefined) return known;
    const { before, layers, edits } = part;
    const { station, pageCount, pageBytes } = before;
    const size = { pageCount, pageBytes };
    const of = { stream, lsn: station, commitLsn: station };
    const only = { ...of, ...size, createdAtMs: createdAtMs(stream), changedRows: [] };
    const made = layers.map(({ commitLsn, pageCount, pageBytes }, index) => ({
      stream,
      lsn: commitLsn,
      commitLsn,
      pageCount,
      pageBytes,
      createdAtMs: nowMs,
      changedRows: [...(edits[index]?.changed.keys() ?? [])].sort((a, b) => a - b),
    }));
    return [...(known.length > 0 ? known : [only]), ...made];
  }

  async #removeRows(stream: StreamId, { rows, atMost, above }: RowsGone): Promise<void> {
    const { draft, slices } = this.#ground;
    for (const rowIndex of rows) {
      await slices.pause();
      const row = draft.find(stream, rowIndex, atMost);
      if (row === undefined || (above !== undefined && row.fromLsn <= above)) continue;
      draft.remove({ stream, rowIndex, fromLsn: row.fromLsn }, row.locations);
    }
  }

  /** See (2). */
  async #removeAll(
    stream: StreamId,
    versions: readonly MapVersionRow[],
    part: Part | undefined,
  ): Promise<void> {
    const { draft, slices } = this.#ground;
    const sizes = versions.map(({ pageCount }) => rowCount(pageCount));
    const rows = versions.map(({ changedRows }) => (changedRows.at(-1) ?? -1) + 1);
    const ofBase = rowCount(part?.database.base?.moment.pageCount ?? 0);
    const end = Math.max(ofBase, ...sizes, ...rows);
    for (let rowIndex = 0; rowIndex < end; rowIndex += 1) {
      await slices.pause();
      for (const { fromLsn, locations } of draft.versions(stream, rowIndex)) {
        draft.remove({ stream, rowIndex, fromLsn }, locations);
      }
    }
  }
}

function isSame(a: MapVersionRow | undefined, b: MapVersionRow): boolean {
  if (a === undefined || a.changedRows.length !== b.changedRows.length) return false;
  return a.changedRows.every((rowIndex, index) => rowIndex === b.changedRows[index]);
}

export interface CheckpointChange {
  /** All that are kept. */
  readonly kept: readonly MapVersionRow[];
  readonly put: readonly MapVersionRow[];
  readonly remove: readonly MapVersionKey[];
}

/** Of the checkpoints of the store those at or above the horizon are kept; none without history. */
export function checkpointsAfter(
  known: readonly MapVersionRow[],
  { lsn, horizonLsn, nowMs }: { lsn: Lsn; horizonLsn: Lsn; nowMs: number },
): CheckpointChange {
  const stream = CATALOGUE_STREAM;
  const size = { pageCount: 0, pageBytes: 0 };
  const row = { stream, lsn, commitLsn: LSN_ZERO, ...size, createdAtMs: nowMs, changedRows: [] };
  const put = horizonLsn < lsn ? [row] : [];
  const rest = known.filter((each) => each.lsn >= horizonLsn && each.lsn < lsn);
  const remove = known.filter((each) => !rest.includes(each) && each.lsn !== put[0]?.lsn);
  return { kept: [...rest, ...put], put, remove };
}
