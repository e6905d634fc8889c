/**
 * WHAT THE PARTS OF AN OPEN STORE KNOW OF IT: those that need more of it than two or three of its
 * layers take the store itself, as this. The store (store.ts) makes them, and they do not import it.
 */
import type { Env } from "../base/env.ts";
import type { Lsn, StreamId } from "../base/units.ts";
import type { Catalogue } from "./catalogue/catalogue.ts";
import type { Checkpointer } from "./checkpoints/checkpointer.ts";
import type { FaultKeeper } from "./faults.ts";
import type { Durability } from "./gates/durability.ts";
import type { OutputGate } from "./gates/gate.ts";
import type { Levels } from "./gates/levels.ts";
import type { Logs } from "./logs/logs.ts";
import type { Door } from "./opening/door.ts";
import type { Lifecycle } from "./opening/lifecycle.ts";
import type { Parts } from "./opening/open-store.ts";
import type { StartedFrom } from "./opening/starting.ts";
import type { Fleet } from "./queries/fleet.ts";
import type { OpenDatabase } from "./queries/open-database.ts";
import type { Readers } from "./queries/readers.ts";
import type { ResolvedOptions } from "./resolve-options.ts";
import type { Scrubber } from "./scrub/scrubber.ts";
import type { Shipping } from "./shipping/shipping.ts";
import type { ImportTarget } from "./transfer/import.ts";

export interface StoreGround {
  readonly options: ResolvedOptions;
  readonly env: Env;
  /** Its layers below. */
  readonly parts: Parts;
  readonly openedAtMs: number;
  readonly lifecycle: Lifecycle;
  readonly faults: FaultKeeper;
  readonly levels: Levels;
  /** Undefined without a sink. */
  readonly shipping: Shipping | undefined;
  /** It was made of what its sink holds when it was opened. */
  readonly started: StartedFrom | undefined;
  readonly catalogue: Catalogue;
  /** Of the catalogue. */
  readonly door: Door;
  readonly fleet: Fleet;
  readonly readers: Readers;
  readonly logs: Logs;
  readonly checkpointer: Checkpointer;
  readonly scrubber: Scrubber;
  /** What is durable here. */
  readonly gate: OutputGate;
  readonly newestLsn: Lsn;

  /** Resolves when everything up to the LSN is durable, at the store's level or another. */
  durable(lsn: Lsn, level?: Durability): Promise<void>;
  /** Of the store, for stream 0. */
  levelOf(stream?: StreamId): Durability;
  database(stream: StreamId): Promise<OpenDatabase>;
  /** Size of a database at its newest durable commit. */
  durableSize(stream: StreamId): { readonly pageCount: number; readonly pageBytes: number };
  importTarget(stream: StreamId): Promise<ImportTarget>;
  drop(stream: StreamId, name: string): Lsn;
  checkpoint(): Promise<void>;
}
