/**
 * WHERE THE PAGES OF A DATABASE LIE IN CHUNKS, as the rows of its family say: for fetching them before
 * they are asked for.
 *
 * (1) It is a guess, and never wrong by leaving out what matters: commits since the checkpoint may
 *     have replaced a page, so that more is fetched than is needed; a page that it does not find is
 *     fetched when it is read.
 */
import { LSN_ZERO, type Lsn, laterLsn, type StreamId } from "../base/units.ts";
import { MAP_ROW_PAGES, type Manifest } from "../manifest/index.ts";
import { NOWHERE } from "../page-store/index.ts";
import type { FamilyMember } from "./family.ts";

interface Layer {
  readonly stream: StreamId;
  /** The version of a row that counts is the newest at or below it. */
  readonly atMost: Lsn;
}

export class PageLocations {
  readonly #manifest: Pick<Manifest, "mapRow">;
  readonly #layers: readonly Layer[];
  #rowIndex = -1;
  #rows: readonly (Float64Array | undefined)[] = [];

  /** The database, then its origins. */
  constructor(manifest: Pick<Manifest, "mapRow">, family: readonly FamilyMember[]) {
    this.#manifest = manifest;
    this.#layers = family.flatMap(({ stream, row, upToLsn }, index) => {
      if (row === undefined) return [];
      const station = laterLsn(row.lsn, row.origin?.lsn ?? LSN_ZERO);
      return [{ stream, atMost: index === 0 ? station : upToLsn }];
    });
  }

  /** NOWHERE if no row says. */
  of(pageNumber: number): number {
    const index = pageNumber - 1;
    this.#load(Math.floor(index / MAP_ROW_PAGES));
    for (const row of this.#rows) {
      const location = row?.[index % MAP_ROW_PAGES] ?? NOWHERE;
      if (location !== NOWHERE) return location;
    }
    return NOWHERE;
  }

  #load(rowIndex: number): void {
    if (rowIndex === this.#rowIndex) return;
    this.#rowIndex = rowIndex;
    this.#rows = this.#layers.map(
      ({ stream, atMost }) => this.#manifest.mapRow(stream, rowIndex, atMost)?.locations,
    );
  }
}
