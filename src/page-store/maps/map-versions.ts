/**
 * THE VERSIONS OF ALL PAGE MAPS of a store, in memory as in the manifest.
 *
 * (1) The station of a version is the LSN of the newest commit in it. The version that counts at an
 *     LSN is the newest at or below it.
 * (2) A stream is here only while it has two versions or more. The station of a single one is what
 *     the row of its database says.
 * (3) A version that is about to be removed is condemned: nobody may begin to use it. If the removal
 *     comes to nothing, it is not condemned any more. If the manifest has refused it, it may be found
 *     done when the store is opened again: then it stays condemned until a later removal succeeds.
 * (4) Stream 0 has the checkpoints of the store within the history.
 */
import { CATALOGUE_STREAM, type Lsn, type StreamId } from "../../base/units.ts";
import type { MapVersionRow } from "../../manifest/index.ts";

export class MapVersions {
  readonly #byStream = new Map<StreamId, readonly MapVersionRow[]>();
  readonly #condemned = new Map<StreamId, ReadonlySet<Lsn>>();
  /** Removals that were refused, and may have happened. */
  #doubted: readonly ReadonlyMap<StreamId, ReadonlySet<Lsn>>[] = [];

  constructor(rows: readonly MapVersionRow[]) {
    const streams = new Map<StreamId, MapVersionRow[]>();
    for (const row of rows) streams.set(row.stream, [...(streams.get(row.stream) ?? []), row]);
    for (const [stream, of] of streams) this.put(stream, of);
  }

  /** Streams with two versions or more. */
  get streams(): StreamId[] {
    return [...this.#byStream.keys()].filter((stream) => stream !== CATALOGUE_STREAM);
  }

  get count(): number {
    let count = 0;
    for (const stream of this.streams) count += this.of(stream).length;
    return count;
  }

  /** Oldest first; none if there is only one. See (2). */
  of(stream: StreamId): readonly MapVersionRow[] {
    return this.#byStream.get(stream) ?? [];
  }

  /** LSNs of checkpoints, ascending. */
  get checkpoints(): readonly MapVersionRow[] {
    return this.of(CATALOGUE_STREAM);
  }

  put(stream: StreamId, rows: readonly MapVersionRow[]): void {
    if (rows.length === 0) this.#byStream.delete(stream);
    else
      this.#byStream.set(
        stream,
        [...rows].sort((a, b) => a.lsn - b.lsn),
      );
  }

  condemn(stream: StreamId, stations: readonly Lsn[]): void {
    if (stations.length > 0) this.#condemned.set(stream, new Set(stations));
  }

  /** The removal came to nothing. */
  pardonAll(): void {
    this.#condemned.clear();
  }

  /** The removal was refused, and may have happened. */
  doubtAll(): void {
    if (this.#condemned.size > 0) this.#doubted = [...this.#doubted, new Map(this.#condemned)];
    this.#condemned.clear();
  }

  /** A removal is in the manifest, and so is nothing of those before that were refused. */
  removed(): void {
    this.#condemned.clear();
    this.#doubted = [];
  }

  isCondemned(stream: StreamId, station: Lsn): boolean {
    const all = [this.#condemned, ...this.#doubted];
    return all.some((each) => each.get(stream)?.has(station) === true);
  }
}
