/**
 * THE FLEET: the databases that are open, by stream, and how many connections they keep.
 *
 * (1) A database is open at most once; all handles on it share what is in OpenDatabase.
 * (2) Beyond `maxConnections` the longest idle databases lose their connections. Handles do not
 *     notice: the next statement opens one again.
 * (3) Moments of a database that are open are closed with it, and their connections count as well.
 * (4) Where all connections go, all databases let go of them at once, and so nobody uses one any more;
 *     they are then closed a few a turn, by who steps through what is returned. It yields between.
 */
import type { StorageError } from "../../base/errors.ts";
import type { StreamId } from "../../base/units.ts";
import type { FrozenMoment } from "../families/frozen-database.ts";
import type { OpenDatabase } from "./open-database.ts";
import type { Seat } from "./seat.ts";

/** Connections are counted again after so many were opened. */
const CONNECTS_PER_SWEEP = 64;
const HOLDS_PER_TURN = 128;
/** To close a connection takes SQLite some 0.2 ms: it frees each of its pages. */
const CLOSES_PER_TURN = 8;

export class Fleet {
  readonly #open = new Map<StreamId, Promise<OpenDatabase>>();
  readonly #ready = new Map<StreamId, OpenDatabase>();
  /** See (3). Rare: only databases of which a moment is open are here. */
  readonly #frozen = new Map<StreamId, Set<FrozenMoment>>();
  /** Connections that no database knows any more, and that are to be closed. */
  readonly #unused: Seat[] = [];
  /** See OpenDatabaseOptions. */
  readonly uses = { count: 0 };
  readonly #maxConnections: number;
  #connects = 0;

  constructor(maxConnections: number) {
    this.#maxConnections = maxConnections;
  }

  get openCount(): number {
    return this.#ready.size;
  }

  /** The open database of that stream; `make` opens it if nobody has. */
  async get(stream: StreamId, make: () => Promise<OpenDatabase>): Promise<OpenDatabase> {
    let opening = this.#open.get(stream);
    if (opening === undefined) {
      opening = make();
      this.#open.set(stream, opening);
      opening.then(
        (database) => this.#ready.set(stream, database),
        () => this.#open.delete(stream),
      );
    }
    return opening;
  }

  /** From now on, until it is closed, the moment goes with its database. */
  freeze(stream: StreamId, moment: FrozenMoment): void {
    const moments = this.#frozen.get(stream) ?? new Set();
    this.#frozen.set(stream, moments.add(moment));
    moment.onClose = () => {
      moments.delete(moment);
      if (moments.size === 0) this.#frozen.delete(stream);
    };
  }

  /** Counts a connection; true when it is time to sweep. */
  connected(): boolean {
    return ++this.#connects % CONNECTS_PER_SWEEP === 0;
  }

  /** Closes a database under its handles, which get the error from then on. */
  close(stream: StreamId, error: StorageError): void {
    this.#ready.get(stream)?.close(error);
    for (const moment of [...(this.#frozen.get(stream) ?? [])]) moment.close(error);
    this.#ready.delete(stream);
    this.#open.delete(stream);
  }

  /**
   * Closes all of them: everybody gets the error from now on. What is returned closes connections. See
   * (4).
   */
  closeAll(error: StorageError): Generator<void> {
    const databases = [...this.#ready.values()];
    for (const database of databases) database.refuse(error);
    for (const stream of [...this.#frozen.keys()]) this.close(stream, error);
    for (const stream of this.#ready.keys()) this.#open.delete(stream);
    this.#ready.clear();
    return this.#closeEach(databases, error);
  }

  /**
   * Handles stay; their next read opens a connection to what is durable. What is returned closes those
   * that there were. See (4).
   */
  turnReadOnly(error: StorageError): Generator<void> {
    for (const database of this.#ready.values()) this.#unused.push(...database.turnReadOnly(error));
    return this.#closeUnused();
  }

  /** Lets go of snapshots that nobody reads just now. Yields now and then: there may be thousands. */
  *endHolds(): Generator<void> {
    let count = 0;
    for (const database of this.#ready.values()) {
      database.endHolds();
      count += 1;
      if (count % HOLDS_PER_TURN === 0) yield;
    }
  }

  /** See (2). */
  sweep(): void {
    let count = 0;
    const databases = [...this.#ready.values()];
    for (const moments of this.#frozen.values()) {
      for (const { database } of moments) databases.push(database);
    }
    for (const database of databases) count += database.connectionCount;
    if (count <= this.#maxConnections) return;
    const idle = databases.filter((database) => database.idle);
    idle.sort((a, b) => a.lastUse - b.lastUse);
    for (const database of idle) {
      if (count <= this.#maxConnections) return;
      count -= database.connectionCount;
      database.trim();
    }
  }

  *#closeEach(databases: readonly OpenDatabase[], error: StorageError): Generator<void> {
    yield* this.#closeUnused();
    let count = 0;
    for (const database of databases) {
      if (database.connectionCount === 0) continue;
      database.close(error);
      count += 1;
      if (count % CLOSES_PER_TURN === 0) yield;
    }
  }

  *#closeUnused(): Generator<void> {
    for (let count = 1; ; count += 1) {
      const seat = this.#unused.pop();
      if (seat === undefined) return;
      seat.close();
      if (count % CLOSES_PER_TURN === 0) yield;
    }
  }
}
