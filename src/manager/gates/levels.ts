/**
 * THE LEVELS OF DURABILITY: which gate the answers of the store, of a database, of a transaction
 * pass.
 *
 *   local    the commit is durable on this machine
 *   remote   the sink holds it, and all log before it
 *
 * (1) The level of a transaction goes before that of its database, and that before the store's. A
 *     fork has the level of its origin until it is given one.
 * (2) Levels of databases are not stored: they hold until the store is closed.
 * (3) What is shown at level `remote` is the newest state that is durable here, as at `local`; the
 *     answer waits until the sink has all of it.
 */
import type { Lsn, StreamId } from "../../base/units.ts";
import type { Parts } from "../opening/open-store.ts";
import type { Shipper } from "../shipping/shipper.ts";
import type { Durability } from "./durability.ts";
import { OutputGate } from "./gate.ts";
import { RemoteGate } from "./remote-gate.ts";

export interface LevelsOptions {
  readonly durableLsn: Lsn;
  /** Of the store. */
  readonly level: Durability;
  /** Undefined without a sink. */
  readonly remote: { readonly lsn: Lsn; readonly wanted: (lsn: Lsn) => void } | undefined;
  /** What a database is a fork of. */
  readonly originOf: (stream: StreamId) => StreamId | undefined;
}

export class Levels {
  readonly local: OutputGate;
  readonly remote: RemoteGate | undefined;
  /** Of the store. */
  readonly level: Durability;
  readonly #ofDatabases = new Map<StreamId, Durability>();
  readonly #originOf: (stream: StreamId) => StreamId | undefined;

  constructor({ durableLsn, level, remote, originOf }: LevelsOptions) {
    this.local = new OutputGate(durableLsn);
    this.remote = remote && new RemoteGate(remote.lsn, remote.wanted);
    this.level = level;
    this.#originOf = originOf;
  }

  /** Of the store: of its catalogue and its record logs. */
  get gate(): OutputGate {
    return this.gateOf(this.level);
  }

  /** Throws a TypeError for `remote` where there is no sink. */
  gateOf(level: Durability): OutputGate {
    if (level === "local") return this.local;
    if (this.remote !== undefined) return this.remote;
    throw new TypeError('durability "remote" needs a sink: Manager.open({ sink, … })');
  }

  set(stream: StreamId, level: Durability): void {
    this.#ofDatabases.set(stream, level);
  }

  /** See (1). */
  of(stream: StreamId): Durability {
    if (this.remote === undefined) return "local";
    for (let at: StreamId | undefined = stream; at !== undefined; at = this.#originOf(at)) {
      const level = this.#ofDatabases.get(at);
      if (level !== undefined) return level;
    }
    return this.level;
  }
}

/** Of a store, and of whoever ships for it. */
export function levelsOf({ options, log, catalogue }: Parts, shipper?: Shipper): Levels {
  return new Levels({
    durableLsn: log.durableLsn,
    level: options.durability,
    remote: shipper && { lsn: shipper.remoteLsn, wanted: (lsn) => shipper.wanted(lsn) },
    originOf: (stream) => catalogue.databases.row(stream)?.origin?.stream,
  });
}
