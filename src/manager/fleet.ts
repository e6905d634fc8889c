/**
 * THE FLEET: the databases that are open, by stream, and how many connections they keep.
 *
 * (1) A database is open at most once; all handles on it share what is in OpenDatabase.
 * (2) Beyond `maxConnections` the longest idle databases lose their connections. Handles do not
 *     notice: the next statement opens one again.
 */

import type { StorageError } from "../base/errors.ts";
import type { StreamId } from "../base/units.ts";
import type { OpenDatabase } from "./open-database.ts";

/** Connections are counted again after so many were opened. */
const CONNECTS_PER_SWEEP = 64;

export class Fleet {
  readonly #open = new Map<StreamId, Promise<OpenDatabase>>();
  readonly #ready = new Map<StreamId, OpenDatabase>();
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

  /** Counts a connection; true when it is time to sweep. */
  connected(): boolean {
    return ++this.#connects % CONNECTS_PER_SWEEP === 0;
  }

  /** Closes a database under its handles, which get the error from then on. */
  close(stream: StreamId, error: StorageError): void {
    this.#ready.get(stream)?.close(error);
    this.#ready.delete(stream);
    this.#open.delete(stream);
  }

  closeAll(error: StorageError): void {
    for (const stream of [...this.#ready.keys()]) this.close(stream, error);
  }

  /** Handles stay; their next read opens a connection to what is durable. */
  turnReadOnly(error: StorageError): void {
    for (const database of this.#ready.values()) database.turnReadOnly(error);
  }

  /** Lets go of snapshots that nobody reads just now. */
  endHolds(): void {
    for (const database of this.#ready.values()) database.endHolds();
  }

  /** See (2). */
  sweep(): void {
    let count = 0;
    for (const database of this.#ready.values()) count += database.connectionCount;
    if (count <= this.#maxConnections) return;
    const idle = [...this.#ready.values()].filter((database) => database.idle);
    idle.sort((a, b) => a.lastUse - b.lastUse);
    for (const database of idle) {
      if (count <= this.#maxConnections) return;
      count -= database.connectionCount;
      database.trim();
    }
  }
}
