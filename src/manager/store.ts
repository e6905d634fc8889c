/**
 * AN OPEN STORE: everything below put together, and taken apart again.
 *
 *   open     claim the directory → manifest, superblock → replay the log → fresh segment → sink
 *            → serve
 *   close    refuse → roll back → make durable → checkpoint → ship → close files → release the
 *            directory
 *
 * (1) Nothing is served before the log's unclean tail lies, synced, in a fresh segment.
 * (2) A superblock that is ahead of the manifest means that the manifest is an old copy: refused.
 * (3) A failed open takes down what it has put up, and leaves the directory to the next.
 * (4) A store whose bucket was lost is read-only, and closes as any other: its log is whole.
 * (5) Closing first settles the log (settle-log.ts): all that was sealed is durable, or the log has
 *     failed and who waited was told that his outcome is unknown. Nobody is told BOP_CLOSED of a commit.
 */
import type { Env } from "../base/env.ts";
import { isStorageError, StorageError } from "../base/errors.ts";
import { nextTurn } from "../base/next-turn.ts";
import { CATALOGUE_STREAM, type Lsn, type StreamId } from "../base/units.ts";
import type {
  CheckpointRequest,
  CheckpointResult,
  PageStore,
  PublishedFacts,
} from "../page-store/index.ts";
import type { Log } from "../write/index.ts";
import type { Diagnostics } from "./api/diagnostics.ts";
import type { Catalogue } from "./catalogue/catalogue.ts";
import type { CatalogueRow } from "./catalogue/catalogue-row.ts";
import { Materialiser } from "./catalogue/materialiser.ts";
import { ChangeFeed } from "./changes/change-feed.ts";
import { Checkpointer } from "./checkpoints/checkpointer.ts";
import { settleLog } from "./closing/settle-log.ts";
import { diagnosticsOf } from "./diagnostics.ts";
import { type Relations, relationsOf } from "./families/relations.ts";
import { FaultKeeper } from "./faults.ts";
import type { Durability } from "./gates/durability.ts";
import type { OutputGate } from "./gates/gate.ts";
import { type Levels, levelsOf } from "./gates/levels.ts";
import { checkIntegrity } from "./jobs/integrity-check.ts";
import { Jobs, type Task } from "./jobs/jobs.ts";
import { logsOf } from "./logs/log-host.ts";
import type { Logs } from "./logs/logs.ts";
import { Door } from "./opening/door.ts";
import { Lifecycle } from "./opening/lifecycle.ts";
import type { Parts } from "./opening/open-store.ts";
import { logFailed, notShipped } from "./opening/read-only.ts";
import type { StartedFrom } from "./opening/starting.ts";
import { closedError } from "./queries/closed.ts";
import { Engines } from "./queries/engines.ts";
import { Fleet } from "./queries/fleet.ts";
import { OpenDatabase } from "./queries/open-database.ts";
import { Readers } from "./queries/readers.ts";
import { RunQueue } from "./queries/run-queue.ts";
import type { ResolvedOptions } from "./resolve-options.ts";
import type { Scrubber } from "./scrub/scrubber.ts";
import { scrubberOf } from "./scrub/store-scrub.ts";
import type { Shipped } from "./shipping/shipper.ts";
import type { Shipping } from "./shipping/shipping.ts";
import { shippingOf } from "./shipping/store-shipping.ts";
import type { StoreGround } from "./store-ground.ts";
import type { ImportTarget } from "./transfer/import.ts";

export class Store implements StoreGround {
  readonly options: ResolvedOptions;
  readonly env: Env;
  readonly lifecycle = new Lifecycle();
  readonly levels: Levels;
  /** Undefined without a sink. */
  readonly shipping: Shipping | undefined;
  /** It was made of what its sink holds when it was opened. */
  readonly started: StartedFrom | undefined;
  readonly catalogue: Catalogue;
  readonly faults: FaultKeeper;
  readonly fleet: Fleet;
  readonly parts: Parts;
  readonly openedAtMs: number;
  readonly changes: ChangeFeed;
  readonly jobs: Jobs;
  readonly logs: Logs;
  /** Of the catalogue. */
  readonly door: Door;
  readonly #log: Log;
  readonly #pages: PageStore;
  readonly #engines: Engines;
  readonly #runQueue: RunQueue;
  readonly checkpointer: Checkpointer;
  readonly readers: Readers;
  readonly relations: Relations;
  readonly scrubber: Scrubber;
  readonly #materialiser: Materialiser;

  constructor(parts: Parts, shipped?: Shipped) {
    const { options, env, log, pages, catalogue } = parts;
    this.parts = parts;
    this.options = options;
    this.env = env;
    this.catalogue = catalogue;
    this.#log = log;
    this.#pages = pages;
    this.openedAtMs = env.clock.wallMs();
    this.faults = new FaultKeeper(env.clock);
    this.fleet = new Fleet(options.maxConnections);
    this.levels = levelsOf(parts, shipped?.shipper);
    this.door = this.#openDoor();
    this.#engines = new Engines(env);
    const { maxReaderAgeMs } = options.limits;
    this.readers = new Readers({ clock: env.clock, maxReaderAgeMs });
    this.#runQueue = new RunQueue(env.clock, (kick) => log.kick(kick));
    this.checkpointer = new Checkpointer({
      clock: env.clock,
      limits: { ...options, maxInflightSegments: options.limits.maxInflightSegments },
      newestLsn: () => log.newestLsn,
      checkpointLsn: () => pages.checkpointLsn,
      inflightSegments: () => log.inflightSegments,
      changedBytes: () => pages.changedBytes + this.logs.unstoredBytes,
      isDirty: () => pages.holdsLog().length > 0 || this.logs.isDirty,
      run: async () => {
        const { checkpointLsn: atLsn, pages: count, bytes, isCut } = await this.#checkpoint();
        return { atLsn, pages: count, bytes, isCut };
      },
      onFailure: (error) => this.faults.record("checkpoint", error),
    });
    this.logs = logsOf(this, { log, kick: () => this.#runQueue.kickWithin() });
    this.relations = relationsOf(this, { log, pages });
    this.#materialiser = new Materialiser({
      catalogue,
      pages,
      clock: env.clock,
      delayMs: options.catalogueDelayMs,
      durableLsn: () => log.durableLsn,
      onFailure: (error) => this.faults.record("catalogue", error),
    });
    this.#materialiser.consider();
    this.changes = new ChangeFeed({
      manifest: parts.manifest,
      log,
      pages,
      catalogue,
      clock: env.clock,
      advanceDelayMs: options.changeLog.advanceDelayMs,
      materialised: (lsn) => this.#materialiser.upTo(lsn),
      assertOpen: () => this.lifecycle.assertOpen(),
      onFailure: (error) => this.faults.record("changes", error),
    });
    this.jobs = this.#openJobs();
    log.onDurable((durableLsn) => {
      this.levels.local.advance(durableLsn);
      this.#materialiser.consider();
      this.changes.consider();
      this.checkpointer.consider();
    });
    log.onFailure((error) => logFailed(this, { log, pages }, error));
    log.onFault(({ where, error }) => this.faults.record(where, error));
    this.shipping = shipped && shippingOf(this, shipped);
    this.scrubber = scrubberOf(this);
    this.started = shipped?.started;
  }

  /** What is durable here. */
  get gate(): OutputGate {
    return this.levels.local;
  }

  /** Resolves when everything up to the LSN is durable, at the store's level or another. */
  durable(lsn: Lsn, level = this.levels.level): Promise<void> {
    const gate = this.levels.gateOf(level);
    if (gate.isOpen(lsn)) return Promise.resolve();
    this.#runQueue.kickSoon();
    return gate.passed(lsn);
  }

  /** Of the store, for stream 0. */
  levelOf(stream: StreamId = CATALOGUE_STREAM): Durability {
    return stream === CATALOGUE_STREAM ? this.levels.level : this.levels.of(stream);
  }

  get newestLsn(): Lsn {
    return this.#log.newestLsn;
  }

  database(stream: StreamId): Promise<OpenDatabase> {
    return this.fleet.get(stream, () => this.#openDatabase(stream));
  }

  /** What of this database may wait for the device: see DatabaseOptions. */
  limitBacklog(stream: StreamId, maxBacklogBytes: number): void {
    this.#log.limitStream(stream, maxBacklogBytes);
  }

  drop(stream: StreamId, name: string): Lsn {
    const lsn = this.catalogue.drop(stream);
    this.fleet.close(stream, dropped(name, `database ${JSON.stringify(name)}`));
    return lsn;
  }

  async importTarget(stream: StreamId): Promise<ImportTarget> {
    const database = await this.database(stream);
    return {
      space: database.space,
      pages: database.pages,
      ...{ log: this.#log, clock: this.env.clock },
      connect: () => database.takeSpareConnection(),
    };
  }

  /** Size of a database at its newest durable commit. */
  durableSize(stream: StreamId): { readonly pageCount: number; readonly pageBytes: number } {
    // Of one whose drop is not durable yet nothing can be read any more.
    if (this.#row(stream).state === "dropped") return { pageCount: 0, pageBytes: 0 };
    const unseen = this.#pages.replays.sizeOf(stream) ?? this.#pages.restingSize(stream);
    if (unseen !== undefined) return unseen;
    const space = this.#pages.space(stream);
    const snapshot = space.pin(this.gate.durableLsn);
    space.unpin(snapshot);
    return snapshot;
  }

  checkpoint(): Promise<void> {
    this.lifecycle.assertWritable();
    return this.checkpointer.now();
  }

  diagnostics(): Diagnostics {
    return diagnosticsOf(this, { log: this.#log, pages: this.#pages });
  }

  /**
   * Databases that nobody has asked for yet get their commits from the log. Whoever asks for one
   * does not wait for the others.
   */
  replayInBackground(): void {
    this.#pages.replays.allReady().then(
      () => this.checkpointer.consider(),
      (error: unknown) => {
        if (!isStorageError(error, "BOP_CLOSED")) this.faults.record("replay", error);
      },
    );
  }

  async close(): Promise<void> {
    const { levels, shipping, options } = this;
    const wasOpen = this.lifecycle.state === "open" || !levels.local.hasFailed; // See (4).
    this.lifecycle.moveTo("closing");
    const error = closedError("store");
    this.#runQueue.stop();
    const closing = this.fleet.closeAll(error);
    this.readers.stop();
    for (const _ of closing) await nextTurn(this.env.clock);
    const limit = { clock: this.env.clock, timeoutMs: options.closeTimeoutMs };
    // Before anything that waits for the log: see (5).
    let isClean = wasOpen && (await settleLog(this.#log, limit));
    await this.scrubber.stop();
    await this.checkpointer.stop();
    await this.jobs.stop();
    await this.changes.stop();
    await this.#materialiser.stop();
    if (isClean) {
      try {
        await this.checkpointer.now("close");
      } catch (fault) {
        // What is durable in the log is not lost: the next open replays it.
        isClean = false;
        this.faults.record("checkpoint at close", fault);
      }
    }
    isClean = (await settleLog(this.#log, limit)) && isClean; // What was under way may have committed.
    await shipping?.close(options.closeTimeoutMs);
    notShipped(this, this.#log);
    await this.#engines.close();
    await this.parts.close({ isClean });
    if (!levels.local.hasFailed) levels.local.fail(error); // Only now: see (5).
    this.lifecycle.moveTo("closed");
  }

  #openDoor(): Door {
    return new Door({
      clock: this.env.clock,
      admit: () => {
        this.lifecycle.assertWritable();
        this.#admit();
      },
      admissionTimeoutMs: this.options.limits.admissionTimeoutMs,
    });
  }

  #openJobs(): Jobs {
    const { clock, random } = this.env;
    return new Jobs({
      manifest: this.parts.manifest,
      clock,
      random,
      handlers: { "integrity-check": (task) => this.#checkIntegrity(task) },
      nameOf: (stream) => this.#liveName(stream),
      onFailure: (error) => this.faults.record("jobs", error),
    });
  }

  async #openDatabase(stream: StreamId): Promise<OpenDatabase> {
    const { foreignKeys, profile } = this.options;
    const row = this.#row(stream);
    await Promise.all([this.#engines.load(row.engine), this.#pages.ready(stream)]);
    this.lifecycle.assertOpen();
    if (this.#row(stream).state === "dropped") throw dropped(stream);
    return new OpenDatabase({
      stream,
      name: () => this.#row(stream).name,
      kind: row.engine,
      engine: () => this.#engines.get(row.engine),
      space: this.#pages.space(stream),
      residency: this.#pages.residency,
      pageBytes: row.pageBytes,
      foreignKeys,
      profile,
      env: this.env,
      levels: this.levels,
      level: this.levels.of(stream),
      admit: () => {
        this.lifecycle.assertWritable();
        this.#admit(stream);
      },
      admissionTimeoutMs: this.options.limits.admissionTimeoutMs,
      schedule: (database) => this.#runQueue.add(database),
      follow: (database) => this.#runQueue.follow(database),
      countHold: (change) => this.#runQueue.countHold(change),
      kick: () => this.#runQueue.kickSoon(),
      uses: this.fleet.uses,
      onConnect: () => {
        if (this.fleet.connected()) this.env.clock.turn(() => this.fleet.sweep());
      },
      onRest: () => this.#pages.rest(stream),
      readers: this.readers,
    });
  }

  async #checkIntegrity(task: Task): Promise<string> {
    const database = await this.database(task.stream);
    return checkIntegrity({ database, clock: this.env.clock }, task);
  }

  /** Throws what the log says; where checkpoints that found no room keep it full, that instead. */
  #admit(stream?: StreamId): void {
    try {
      this.#log.admit(stream);
    } catch (error) {
      const { failure } = this.checkpointer;
      const isHeld = isStorageError(error, "BOP_BACKPRESSURE") && error.details.full === "segments";
      throw isHeld && isStorageError(failure, "BOP_DISK_FULL") ? failure : error;
    }
  }

  #liveName(stream: StreamId): string | undefined {
    const row = this.catalogue.databases.row(stream);
    return row?.state === "live" ? row.name : undefined;
  }

  #row(stream: StreamId): CatalogueRow {
    const row = this.catalogue.databases.row(stream);
    if (row === undefined) throw dropped(stream);
    return row;
  }

  async #checkpoint(): Promise<CheckpointResult> {
    for (const _ of this.fleet.endHolds()) await nextTurn(this.env.clock);
    let removed: readonly StreamId[] = [];
    const request: CheckpointRequest = {
      removable: (lsn) => {
        const dropped = this.catalogue.databases.removableAt(lsn);
        removed = dropped.filter((stream) => !this.#pages.isHeld(stream, lsn));
        return removed;
      },
      participants: [this.logs],
      participantBytes: this.logs.unstoredBytes,
      beforePublish: (lsn) => this.#materialiser.upTo(lsn),
      superblock: (published: PublishedFacts) => this.parts.writeSuperblock(published),
    };
    const { window } = this.parts;
    const result = await this.#pages.checkpoint(request).catch(async (error: unknown) => {
      if (!isStorageError(error, "BOP_DISK_FULL") || !(await window.giveUp())) throw error;
      return this.#pages.checkpoint(request);
    });
    this.catalogue.removed(removed);
    await this.#log.release(result.releaseLsn, window.horizonLsn);
    this.shipping?.shipper.checkpointed();
    return result;
  }
}

function dropped(database: StreamId | string, what = "the database"): StorageError {
  const details = { database: String(database) };
  return new StorageError("BOP_DROPPED", `${what} was dropped`, { details });
}
