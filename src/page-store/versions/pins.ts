/**
 * PINS: which moments of databases somebody will come back to, by decree of the catalogue. Pure.
 *
 *   snapshot of a database ──┐
 *   snapshot of the store ───┼──► durable pins of a stream ──► checkpoints write what they see,
 *   fork, until it is flat ──┘                                 nothing that they see is deleted
 *
 * (1) A pin is there as soon as the entry that makes it is sealed or replayed. It counts until the
 *     entry that lets it go is durable: who asks says as of which LSN that is.
 * (2) A snapshot of the store pins every database that there was: created at or below its LSN, and
 *     not dropped at or below it. One whose creation is not known here is taken to be old: a moment
 *     before its first commit costs nothing.
 * (3) A fork pins the moment of its origin while it lives or is pinned itself, and is not flat: so
 *     what a chain of forks reads through stays, dropped or not.
 * (4) Who forks keeps what it read through in its family: one number for all that may share pages.
 */
import { assert } from "../../base/assert.ts";
import { CATALOGUE_STREAM, LSN_ZERO, type Lsn, type StreamId } from "../../base/units.ts";
import type { DatabaseRow, Moment, SnapshotKey, SnapshotRow } from "../../manifest/index.ts";

export interface NewFork {
  readonly stream: StreamId;
  readonly origin: Moment;
  readonly family: StreamId;
  readonly pageBytes: number;
}

/** A moment under a name. */
export type HeldSnapshot = Pick<SnapshotRow, "stream" | "name" | "lsn">;

interface Held {
  readonly lsn: Lsn;
  /** LSN of the entry that lets it go. */
  goneLsn: Lsn | undefined;
}

interface Relative {
  readonly origin: Moment;
  readonly family: StreamId;
  flat: boolean;
}

/** Forks in a row that reads may go through before a checkpoint shortens the way. */
export const CHAIN_MAX = 8;

/** Nothing that was let go counts any more only if that is known to be durable: nothing is. */
const NOTHING_YET = LSN_ZERO;

export class Pins {
  /** By stream (0: of the store) and name. Of one that was let go and made anew both are here. */
  readonly #snapshots = new Map<StreamId, Map<string, Held[]>>();
  /** Forks, flat ones too. */
  readonly #relatives = new Map<StreamId, Relative>();
  readonly #children = new Map<StreamId, Set<StreamId>>();
  readonly #members = new Map<StreamId, Set<StreamId>>();
  readonly #createdLsn = new Map<StreamId, Lsn>();
  readonly #droppedLsn = new Map<StreamId, Lsn>();

  constructor(databases: readonly DatabaseRow[], snapshots: readonly SnapshotRow[]) {
    for (const row of databases) this.learn(row);
    for (const snapshot of snapshots) this.hold(snapshot);
  }

  /** What the catalogue says of a database. */
  learn(row: Omit<DatabaseRow, "pageCount" | "lsn" | "pageBytes" | "flat"> & { flat?: boolean }) {
    const { stream, origin, family, droppedLsn, flat = false } = row;
    if (row.createdLsn > LSN_ZERO) this.#createdLsn.set(stream, row.createdLsn);
    if (droppedLsn !== undefined) this.drop(stream, droppedLsn);
    if (origin !== undefined) this.fork({ stream, origin, family, flat });
  }

  fork({ stream, origin, family, flat = false }: Omit<NewFork, "pageBytes"> & { flat?: boolean }) {
    if (this.#relatives.has(stream)) return;
    this.#relatives.set(stream, { origin, family, flat });
    add(this.#members, family, family);
    add(this.#members, family, stream);
    if (!flat) add(this.#children, origin.stream, stream);
  }

  hold({ stream, name, lsn }: HeldSnapshot): void {
    let names = this.#snapshots.get(stream);
    if (names === undefined) {
      names = new Map();
      this.#snapshots.set(stream, names);
    }
    const held = names.get(name) ?? [];
    if (held.some((each) => each.lsn === lsn && each.goneLsn === undefined)) return;
    names.set(name, [...held, { lsn, goneLsn: undefined }]);
  }

  letGo({ stream, name }: SnapshotKey, atLsn: Lsn): void {
    for (const held of this.#snapshots.get(stream)?.get(name) ?? []) {
      if (held.lsn < atLsn) held.goneLsn ??= atLsn;
    }
  }

  /** A database was dropped, and its own snapshots with it. */
  drop(stream: StreamId, atLsn: Lsn): void {
    this.#droppedLsn.set(stream, atLsn);
    for (const name of this.#snapshots.get(stream)?.keys() ?? []) {
      this.letGo({ stream, name }, atLsn);
    }
  }

  /** A fork reads nothing through its origin any more. */
  flatten(stream: StreamId): void {
    const relative = this.#relatives.get(stream);
    assert(relative !== undefined, () => `stream ${stream} is no fork`);
    relative.flat = true;
    remove(this.#children, relative.origin.stream, stream);
  }

  /** Nothing of a dropped database is left: nobody will name it again. */
  forget(stream: StreamId): void {
    const relative = this.#relatives.get(stream);
    if (relative !== undefined) {
      remove(this.#children, relative.origin.stream, stream);
      remove(this.#members, relative.family, stream);
    }
    this.#relatives.delete(stream);
    this.#snapshots.delete(stream);
    this.#createdLsn.delete(stream);
    this.#droppedLsn.delete(stream);
  }

  /** Lets go for good what was let go at or below an LSN that is durable. */
  settle(durableLsn: Lsn): void {
    for (const [stream, names] of this.#snapshots) {
      for (const [name, held] of names) {
        const rest = held.filter(({ goneLsn }) => goneLsn === undefined || goneLsn > durableLsn);
        if (rest.length === 0) names.delete(name);
        else if (rest.length < held.length) names.set(name, rest);
      }
      if (names.size === 0) this.#snapshots.delete(stream);
    }
  }

  familyOf(stream: StreamId): StreamId {
    return this.#relatives.get(stream)?.family ?? stream;
  }

  /** All that may name pages of a family, in no order. */
  membersOf(family: StreamId): Iterable<StreamId> {
    return this.#members.get(family) ?? [family];
  }

  /** What a fork reads through; undefined for what reads its own pages only. */
  baseOf(stream: StreamId): Moment | undefined {
    const relative = this.#relatives.get(stream);
    return relative === undefined || relative.flat ? undefined : relative.origin;
  }

  /** The moment at which a fork began, flat or not. */
  originOf(stream: StreamId): Moment | undefined {
    return this.#relatives.get(stream)?.origin;
  }

  /** Whether any database is a fork, flat or not: then two may name the same page. */
  get hasForks(): boolean {
    return this.#relatives.size > 0;
  }

  /** All that read through others. */
  *forks(): Generator<StreamId> {
    for (const children of this.#children.values()) yield* children;
  }

  /** How many others it reads through. */
  depth(stream: StreamId): number {
    let depth = 0;
    for (let at = this.baseOf(stream); at !== undefined; at = this.baseOf(at.stream)) depth += 1;
    return depth;
  }

  isDropped(stream: StreamId, asOf: Lsn): boolean {
    const atLsn = this.#droppedLsn.get(stream);
    return atLsn !== undefined && atLsn <= asOf;
  }

  /** Whether anything is pinned of a stream. Cheap where there are neither snapshots nor forks. */
  isHeld(stream: StreamId, asOf: Lsn = NOTHING_YET): boolean {
    if (this.#snapshots.size === 0 && this.#children.size === 0) return false;
    return this.of(stream, asOf).length > 0;
  }

  /** LSNs of the pins of a stream, ascending, each once. See (1) for `asOf`. */
  of(stream: StreamId, asOf: Lsn = NOTHING_YET): Lsn[] {
    if (this.#snapshots.size === 0 && this.#children.size === 0) return [];
    const found = new Set<Lsn>();
    for (const lsn of held(this.#snapshots.get(stream), asOf)) found.add(lsn);
    for (const lsn of held(this.#snapshots.get(CATALOGUE_STREAM), asOf)) {
      if (this.#wasThere(stream, lsn)) found.add(lsn);
    }
    for (const child of this.#children.get(stream) ?? []) {
      const { origin } = this.#relatives.get(child) ?? {};
      if (origin === undefined) continue;
      if (!this.isDropped(child, asOf) || this.isHeld(child, asOf)) found.add(origin.lsn);
    }
    return [...found].sort((a, b) => a - b);
  }

  /**
   * The same, and what every fork began with that has not ended, dropped or not: the checkpoint that
   * ends it still looks through it.
   */
  ofUnended(stream: StreamId, asOf: Lsn = NOTHING_YET): Lsn[] {
    const found = new Set(this.of(stream, asOf));
    for (const child of this.#children.get(stream) ?? []) {
      const { origin } = this.#relatives.get(child) ?? {};
      if (origin !== undefined) found.add(origin.lsn);
    }
    return [...found].sort((a, b) => a - b);
  }

  /** Why a moment is pinned. */
  reasonsAt(stream: StreamId, lsn: Lsn): ("snapshot" | "fork")[] {
    const reasons: ("snapshot" | "fork")[] = [];
    const own = [...held(this.#snapshots.get(stream), NOTHING_YET)];
    const all = [...held(this.#snapshots.get(CATALOGUE_STREAM), NOTHING_YET)];
    if (own.includes(lsn) || (all.includes(lsn) && this.#wasThere(stream, lsn))) {
      reasons.push("snapshot");
    }
    const children = [...(this.#children.get(stream) ?? [])];
    if (children.some((child) => this.#relatives.get(child)?.origin.lsn === lsn)) {
      reasons.push("fork");
    }
    return reasons;
  }

  /** See (2). */
  #wasThere(stream: StreamId, lsn: Lsn): boolean {
    const createdLsn = this.#createdLsn.get(stream) ?? LSN_ZERO;
    const droppedLsn = this.#droppedLsn.get(stream) ?? Number.POSITIVE_INFINITY;
    return createdLsn <= lsn && lsn < droppedLsn;
  }
}

function* held(names: Map<string, Held[]> | undefined, asOf: Lsn): Generator<Lsn> {
  for (const each of names?.values() ?? []) {
    for (const { lsn, goneLsn } of each) if (goneLsn === undefined || goneLsn > asOf) yield lsn;
  }
}

function add<Key, Value>(map: Map<Key, Set<Value>>, key: Key, value: Value): void {
  const set = map.get(key);
  if (set === undefined) map.set(key, new Set([value]));
  else set.add(value);
}

function remove<Key, Value>(map: Map<Key, Set<Value>>, key: Key, value: Value): void {
  const set = map.get(key);
  set?.delete(value);
  if (set?.size === 0) map.delete(key);
}
