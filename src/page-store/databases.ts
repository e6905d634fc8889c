/**
 * THE DATABASES OF A STORE, as far as their pages go: those in memory, those that can be loaded, what
 * each reads through, and the moments at which they can be had.
 *
 *   a row of the manifest, or an entry of the catalogue ──► loaded, when somebody looks
 *     dropped ──► its pages stay while a pin needs them ──► a checkpoint ends it
 *
 * (1) A database is loaded together with all that it reads through. Only recovery may load a fork
 *     before its origin is replayed; nobody looks into it before it has been.
 * (2) A moment can be had if it is pinned, or held, or if it is known that a version of the page map
 *     is what the database was then: from the version's newest commit up to the last checkpoint
 *     before the next version's.
 * (3) What was dropped is not opened any more. Forks and snapshots of the store read it on.
 */
import { assert } from "../base/assert.ts";
import { StorageError } from "../base/errors.ts";
import { LSN_ZERO, type Lsn, laterLsn, type StreamId } from "../base/units.ts";
import type { DatabaseRow, ManifestState, MapVersionRow } from "../manifest/index.ts";
import type { ReplayedCommit } from "../write/index.ts";
import type { Commons } from "./commons.ts";
import { DatabasePages } from "./database-pages.ts";
import { FrozenPages } from "./frozen-space.ts";
import { MapVersions } from "./maps/map-versions.ts";
import type { MapMoment } from "./maps/page-map.ts";
import type { FrozenSpace } from "./page-space.ts";
import type { Base } from "./versions/fork-base.ts";
import type { DatabaseSize, Moment, NextMaps } from "./versions/moments.ts";
import { type HeldSnapshot, type NewFork, Pins } from "./versions/pins.ts";

/** A state of a database of which there is a whole page map. */
export interface MapMoments {
  /** Of its newest commit. */
  readonly lsn: Lsn;
  /** The database was like this from `lsn` up to here, at least. */
  readonly upToLsn: Lsn;
  /** When a checkpoint made the map; of the oldest that there is, when the database was made. */
  readonly createdAtMs: number;
}

export interface DatabasesGround {
  readonly commons: Commons;
  readonly opened: ManifestState;
  readonly checkpointLsn: () => Lsn;
  /** Its commits wait to be replayed. */
  readonly isWaiting: (stream: StreamId) => boolean;
}

export class Databases {
  readonly pins: Pins;
  readonly versions: MapVersions;
  readonly rows: Map<StreamId, DatabaseRow>;
  readonly #ground: DatabasesGround;
  readonly #loaded = new Map<StreamId, DatabasePages>();
  /** Dropped, and not yet ended; with the pins for which a checkpoint left them. */
  readonly #dropped = new Map<StreamId, string | undefined>();
  /** Moments that somebody holds, and how often. */
  readonly #held = new Map<StreamId, Map<Lsn, number>>();

  constructor(ground: DatabasesGround) {
    const { databases, snapshots, mapVersions } = ground.opened;
    this.#ground = ground;
    this.pins = new Pins(databases, snapshots);
    this.versions = new MapVersions(mapVersions);
    this.rows = new Map(databases.map((row) => [row.stream, row]));
    for (const { stream, state, pageCount, flat } of databases) {
      if (state !== "dropped") continue;
      const isSomething = pageCount > 0 || !flat || this.versions.of(stream).length > 0;
      if (isSomething) this.#dropped.set(stream, undefined);
    }
  }

  get all(): Iterable<DatabasePages> {
    return this.#loaded.values();
  }

  loaded(stream: StreamId): DatabasePages | undefined {
    return this.#loaded.get(stream);
  }

  isDropped(stream: StreamId): boolean {
    return this.#dropped.has(stream) || this.rows.get(stream)?.state === "dropped";
  }

  /** Somebody needs it, as far as an LSN that is durable can tell. */
  isHeld(stream: StreamId, asOf: Lsn = this.#ground.checkpointLsn()): boolean {
    if (this.isDropped(stream) && !this.#dropped.has(stream)) return false;
    return this.pins.isHeld(stream, asOf) || this.inUse(stream).length > 0;
  }

  /** Moments and stations of maps that somebody holds in memory: see Moments.stationsInUse. */
  inUse(stream: StreamId, next?: NextMaps): Lsn[] {
    const held = this.#held.get(stream)?.keys() ?? [];
    return [...held, ...(this.#loaded.get(stream)?.stationsInUse(next) ?? [])];
  }

  /** One that is not dropped. */
  open(stream: StreamId): DatabasePages {
    assert(!this.#dropped.has(stream), () => `stream ${stream} was dropped`);
    return this.#whole(stream);
  }

  /** A database that has pages, or had; undefined for a stream that never was one. */
  known(stream: StreamId): DatabasePages | undefined {
    const isKnown = this.#loaded.has(stream) || this.rows.has(stream);
    return isKnown || this.pins.originOf(stream) !== undefined ? this.#whole(stream) : undefined;
  }

  /** What the catalogue has become is in the manifest. */
  learn(rows: readonly DatabaseRow[]): void {
    for (const row of rows) {
      this.rows.set(row.stream, row);
      this.pins.learn(row);
    }
  }

  replay(commit: ReplayedCommit): void {
    const { stream } = commit;
    if (this.isDropped(stream) && !this.pins.isHeld(stream)) return;
    if (commit.lsn <= this.#ground.checkpointLsn()) return;
    const database = this.#loaded.get(stream) ?? this.#load(stream);
    database.replay(commit);
  }

  fork(child: NewFork): void {
    this.pins.fork(child);
    this.#keep(child.origin.stream, child.origin.lsn);
  }

  hold(snapshot: HeldSnapshot): void {
    this.pins.hold(snapshot);
    if (snapshot.stream !== 0) this.#keep(snapshot.stream, snapshot.lsn);
    else for (const stream of this.#loaded.keys()) this.#keep(stream, snapshot.lsn);
  }

  forget(stream: StreamId, atLsn: Lsn): void {
    this.pins.drop(stream, atLsn);
    this.#dropped.set(stream, undefined);
  }

  /** See (2). Throws BOP_SNAPSHOT_GONE. */
  view(stream: StreamId, lsn: Lsn): FrozenSpace {
    const database = this.#whole(stream);
    return new FrozenPages(database, this.#freeze(database, lsn));
  }

  /** See (2). Throws BOP_SNAPSHOT_GONE. */
  holdVersion(stream: StreamId, lsn: Lsn): { release(): void } {
    if (this.#exact(stream, lsn) === undefined) throw this.#gone(stream, lsn);
    const held = this.#held.get(stream) ?? new Map<Lsn, number>();
    this.#held.set(stream, held.set(lsn, (held.get(lsn) ?? 0) + 1));
    let isOver = false;
    const release = () => {
      if (isOver) return;
      isOver = true;
      const left = (held.get(lsn) ?? 0) - 1;
      if (left > 0) held.set(lsn, left);
      else held.delete(lsn);
      if (held.size === 0) this.#held.delete(stream);
    };
    return { release };
  }

  /** Oldest first. */
  momentsOf(stream: StreamId): MapMoments[] {
    const versions = this.#versionsOf(stream);
    return versions.flatMap(({ lsn, createdAtMs }, index) => {
      if (this.versions.isCondemned(stream, lsn)) return [];
      const upToLsn = this.#upTo(lsn, versions[index + 1]?.lsn);
      return [{ lsn, upToLsn, createdAtMs }];
    });
  }

  /** How large a database was; undefined if nobody can tell. */
  sizeAt(stream: StreamId, lsn: Lsn): DatabaseSize | undefined {
    const kept = this.#loaded.get(stream)?.kept.find((moment) => moment.lsn === lsn);
    return kept ?? this.#exact(stream, lsn);
  }

  /** What was dropped at or below an LSN, and has not ended. */
  droppedAt(lsn: Lsn): StreamId[] {
    return [...this.#dropped.keys()].filter((stream) => this.pins.isDropped(stream, lsn));
  }

  /** A checkpoint has left a dropped database as it is, for the same pins. */
  isLeft(stream: StreamId, lsn: Lsn): boolean {
    const left = this.#dropped.get(stream);
    const isClean = !this.#ground.commons.dirty.has(stream);
    return left !== undefined && left === this.#pinsText(stream, lsn) && isClean;
  }

  /** A checkpoint at `lsn` is in the manifest. */
  takePublished(
    { put, removed }: { put: readonly DatabaseRow[]; removed: readonly StreamId[] },
    { ended, lsn }: { readonly ended: readonly StreamId[]; readonly lsn: Lsn },
  ): void {
    for (const row of put) this.rows.set(row.stream, row);
    for (const stream of ended) {
      this.#loaded.get(stream)?.end();
      this.#loaded.delete(stream);
      this.#dropped.delete(stream);
      this.#ground.commons.dirty.delete(stream);
      this.pins.forget(stream);
    }
    for (const stream of removed) this.rows.delete(stream);
    for (const stream of this.#dropped.keys()) {
      if (this.pins.isDropped(stream, lsn)) this.#dropped.set(stream, this.#pinsText(stream, lsn));
    }
    this.pins.settle(lsn);
  }

  /** Pins of a dropped database, to see whether any went; undefined if it is in use otherwise. */
  #pinsText(stream: StreamId, lsn: Lsn): string | undefined {
    const pins = this.pins.of(stream, lsn);
    return pins.length === 0 ? undefined : pins.join();
  }

  #keep(stream: StreamId, lsn: Lsn): void {
    const database = this.#loaded.get(stream);
    if (database !== undefined && !database.isClean) database.keep(lsn);
  }

  #whole(stream: StreamId): DatabasePages {
    const database = this.#loaded.get(stream) ?? this.#load(stream);
    if (!database.isBaseUnknown) return database;
    const base = this.#baseOf(stream);
    assert(base !== undefined && base !== "unknown", "an origin is replayed before its forks");
    database.learnBase(base);
    return database;
  }

  /** Nothing is read for it yet: rows of its map are loaded when a page is looked up. */
  #load(stream: StreamId): DatabasePages {
    const { commons, checkpointLsn } = this.#ground;
    const { pageCount = 0, pageBytes = 0, lsn = LSN_ZERO } = this.rows.get(stream) ?? {};
    const base = this.#baseOf(stream);
    const originLsn = this.pins.originOf(stream)?.lsn ?? LSN_ZERO;
    const isBare = lsn === LSN_ZERO && base !== undefined;
    const ofBase = base === undefined || base === "unknown" ? undefined : base.moment;
    const size = isBare
      ? { pageCount: ofBase?.pageCount ?? 0, pageBytes: ofBase?.pageBytes ?? 0 }
      : { pageCount, pageBytes: pageCount === 0 ? 0 : pageBytes };
    const station = lsn === LSN_ZERO ? originLsn : lsn;
    const moment: MapMoment = {
      checkpointLsn: laterLsn(checkpointLsn(), station),
      station,
      ...size,
    };
    const family = this.pins.familyOf(stream);
    const database = new DatabasePages(commons, { stream, family, moment, base, isBare });
    this.#loaded.set(stream, database);
    for (const pin of this.pins.of(stream)) database.keep(pin);
    return database;
  }

  /** See (1). */
  #baseOf(stream: StreamId): Base | "unknown" | undefined {
    const origin = this.pins.baseOf(stream);
    if (origin === undefined) return undefined;
    if (!this.#isKnown(origin.stream)) return "unknown";
    const database = this.#whole(origin.stream);
    return { database, moment: this.#freeze(database, origin.lsn) };
  }

  /** A database and all that it reads through have been replayed. */
  #isKnown(stream: StreamId): boolean {
    for (let at: StreamId | undefined = stream; at !== undefined; ) {
      if (this.#ground.isWaiting(at)) return false;
      at = this.pins.baseOf(at)?.stream;
    }
    return true;
  }

  #freeze(database: DatabasePages, lsn: Lsn): Moment {
    const { stream } = database;
    const isKept = database.kept.some((moment) => moment.lsn === lsn);
    const version = isKept ? undefined : this.#exact(stream, lsn);
    if (!isKept && version === undefined) throw this.#gone(stream, lsn);
    return database.freeze(lsn, version);
  }

  /** See (2). Of the version that a database was at a moment. */
  #exact(stream: StreamId, lsn: Lsn): MapMoment | undefined {
    const versions = this.#versionsOf(stream);
    const index = versions.findLastIndex((version) => version.lsn <= lsn);
    const version = versions[index];
    if (version === undefined || this.versions.isCondemned(stream, version.lsn)) return undefined;
    const { lsn: station, pageCount, pageBytes } = version;
    const upToLsn = this.#upTo(station, versions[index + 1]?.lsn);
    const isKnown =
      (lsn <= upToLsn && !this.#dropped.has(stream)) ||
      this.#held.get(stream)?.has(lsn) === true ||
      this.pins.of(stream).includes(lsn);
    return isKnown ? { checkpointLsn: lsn, station, pageCount, pageBytes } : undefined;
  }

  /** See (2). */
  #upTo(station: Lsn, next: Lsn | undefined): Lsn {
    if (next === undefined) return laterLsn(station, this.#ground.checkpointLsn());
    const { checkpoints } = this.versions;
    const last = checkpoints.findLast(({ lsn }) => lsn < next)?.lsn ?? station;
    return laterLsn(station, last);
  }

  #versionsOf(stream: StreamId): readonly MapVersionRow[] {
    const versions = this.versions.of(stream);
    if (versions.length > 0) return versions;
    const { station, pageCount, pageBytes } = this.#whole(stream).map;
    const createdAtMs = this.rows.get(stream)?.createdAtMs ?? 0;
    const of = { stream, lsn: station, commitLsn: station, createdAtMs };
    return [{ ...of, pageCount, pageBytes, changedRows: [] }];
  }

  #gone(stream: StreamId, lsn: Lsn): StorageError {
    const [oldest] = this.momentsOf(stream);
    const database = this.rows.get(stream)?.name;
    const details = {
      lsn,
      oldestLsn: oldest?.lsn ?? LSN_ZERO,
      ...(database === undefined ? {} : { database }),
    };
    const message = `the moment ${lsn} is not kept any more; from ${details.oldestLsn} on some are`;
    return new StorageError("BOP_SNAPSHOT_GONE", message, { details });
  }
}
