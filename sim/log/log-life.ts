/**
 * A STORE OF NOTHING BUT A LOG AND A SUPERBLOCK, in a simulated world: what a manifest would say is
 * remembered here, and a checkpoint folds nothing.
 *
 * (1) What is remembered changes at one moment, some time after it was asked for: a crash comes before
 *     that, or after.
 * (2) As in a real store, the superblock is written when a checkpoint is remembered, and the log is let
 *     go when it is written.
 * (3) What is promised at any moment is what the log says is durable then.
 */
import type { Env } from "../../src/base/env.ts";
import {
  LSN_ZERO,
  type Lsn,
  laterLsn,
  type SegmentSequence,
  type StreamId,
  segmentSequence,
} from "../../src/base/units.ts";
import { SuperblockFile } from "../../src/page-store/index.ts";
import {
  type HistorySegment,
  type LogLimits,
  type RecoveredLog,
  recoverLog,
  type StoredLog,
} from "../../src/write/index.ts";
import { promise } from "../failure.ts";
import { CommitModel, type Found, foundIn } from "./commit-model.ts";

export const DIRECTORY = "/store";
export const WAL = `${DIRECTORY}/wal`;
const STORE_ID = Uint8Array.from({ length: 16 }, (_, at) => 100 + at);
const REMEMBER_MS = 1;

export class LogLife {
  readonly model: CommitModel;
  readonly limits: Partial<LogLimits>;
  /** With history, a checkpoint keeps the log from the one before it on. */
  readonly keepsHistory: boolean;
  /** A disk that has no room may have cost some history. */
  readonly mayBeFull: boolean;
  /** The next change of what is remembered is refused. */
  refusesNext = false;
  readonly #registered = new Set<SegmentSequence>();
  readonly #history = new Map<SegmentSequence, HistorySegment>();
  #checkpointLsn: Lsn = LSN_ZERO;
  #horizonLsn: Lsn = LSN_ZERO;
  #generation = 1;
  /** A superblock with this checkpoint was written, and all of its copies synced. */
  #superblockLsn: Lsn = LSN_ZERO;

  constructor(
    options: Pick<LogLife, "limits" | "keepsHistory" | "mayBeFull">,
    model = new CommitModel(),
  ) {
    const { limits, keepsHistory, mayBeFull } = options;
    this.model = model;
    this.mayBeFull = mayBeFull;
    this.limits = limits;
    this.keepsHistory = keepsHistory;
  }

  /** All that is remembered, beside a log that a crash could have left as well. */
  echo(): LogLife {
    const echo = new LogLife(this, this.model.echo());
    for (const sequence of this.#registered) echo.#registered.add(sequence);
    for (const [sequence, segment] of this.#history) echo.#history.set(sequence, segment);
    echo.#checkpointLsn = this.#checkpointLsn;
    echo.#horizonLsn = this.#horizonLsn;
    echo.#generation = this.#generation;
    echo.#superblockLsn = this.#superblockLsn;
    return echo;
  }

  get checkpointLsn(): Lsn {
    return this.#checkpointLsn;
  }

  /** Of sequences that the log may have files of. */
  get registered(): readonly SegmentSequence[] {
    return [...this.#registered];
  }

  /** Reads what is there, and changes nothing. */
  async read(env: Env): Promise<{ recovered: RecoveredLog; found: Found[] }> {
    const place = { storage: env.storage, directory: DIRECTORY };
    const superblock = await SuperblockFile.open(place);
    const seen = superblock?.superblock;
    promise((seen?.checkpointLsn ?? 0) <= this.#checkpointLsn, () => {
      return `the superblock has seen ${seen?.checkpointLsn}, and ${this.#checkpointLsn} is known`;
    });
    promise((seen?.checkpointLsn ?? 0) >= this.#superblockLsn, () => {
      return `the superblock says ${seen?.checkpointLsn}, after ${this.#superblockLsn} was written`;
    });
    const found: Found[] = [];
    const remember = (change: () => void) => this.#remember(env, change);
    const recovered = await recoverLog(
      {
        env,
        driver: await env.storage.driver({ directory: WAL, io: "auto" }),
        directory: WAL,
        storeId: STORE_ID,
        registered: this.registered,
        register: (sequence) => remember(() => this.#registered.add(sequence)),
        unregister: (gone, kept) => remember(() => this.#strike(gone, kept)),
        history: [...this.#history.values()],
        ...(this.keepsHistory && { horizonLsn: this.#horizonLsn }),
        checkpointLsn: this.#checkpointLsn,
        durableFloorLsn: laterLsn(this.#checkpointLsn, seen?.durableLsn ?? LSN_ZERO),
        limits: this.limits,
      },
      (commit) => found.push(foundIn(commit)),
    );
    return { recovered, found };
  }

  /** Recovers, checks, and starts. */
  async open(env: Env): Promise<StoredLog> {
    const { recovered, found } = await this.read(env);
    this.model.recovered(found, this.#checkpointLsn);
    const log = await recovered.start();
    const place = { storage: env.storage, directory: DIRECTORY };
    const superblock = await SuperblockFile.open(place);
    if (superblock === undefined) await SuperblockFile.create(place, this.#facts(log));
    log.onDurable((lsn) => this.told(lsn));
    return log;
  }

  told(durableLsn: Lsn): void {
    this.model.promisedLsn = Math.max(this.model.promisedLsn, durableLsn);
  }

  /** See (2). */
  async checkpoint(env: Env, log: StoredLog): Promise<void> {
    const lsn = log.durableLsn;
    this.told(lsn);
    await this.#remember(env, () => {
      this.#horizonLsn = this.keepsHistory ? this.#checkpointLsn : lsn;
      this.#checkpointLsn = lsn;
      this.#generation += 1;
    });
    const file = await SuperblockFile.open({ storage: env.storage, directory: DIRECTORY });
    await file?.write(this.#facts(log));
    this.#superblockLsn = lsn;
    await log.release(lsn, this.#horizonLsn);
  }

  /** All that history should have, of every stream. */
  async checkPast(log: StoredLog, streams: readonly StreamId[]): Promise<void> {
    if (!this.keepsHistory) return;
    if (this.mayBeFull) this.#horizonLsn = laterLsn(this.#horizonLsn, log.history.fromLsn);
    const hold = log.history.hold(this.#horizonLsn);
    promise(hold !== undefined, () => {
      return `history begins at ${log.history.fromLsn}, and ${this.#horizonLsn} is needed`;
    });
    const upToLsn = log.durableLsn;
    const afterLsn = this.#horizonLsn;
    try {
      for (const stream of streams) {
        const found: Found[] = [];
        const commits = log.history.commits(stream, { afterLsn, upToLsn });
        for await (const commit of commits) found.push(foundIn(commit));
        this.model.past(found, { stream, after: afterLsn, upTo: upToLsn });
      }
    } finally {
      hold.release();
    }
  }

  #facts(log: StoredLog) {
    return {
      storeId: STORE_ID,
      epoch: 1,
      manifestGeneration: this.#generation,
      checkpointLsn: this.#checkpointLsn,
      durableLsn: log.durableLsn,
      walStart: segmentSequence(0),
      clean: false,
    };
  }

  /** See (1). */
  async #remember(env: Env, change: () => void): Promise<void> {
    await env.clock.sleep(REMEMBER_MS);
    if (this.refusesNext) {
      this.refusesNext = false;
      throw Object.assign(new Error("no room"), { code: "ENOSPC" });
    }
    change();
  }

  #strike(gone: readonly SegmentSequence[], kept: readonly HistorySegment[]): void {
    for (const sequence of gone) {
      this.#registered.delete(sequence);
      this.#history.delete(sequence);
    }
    for (const segment of kept) {
      this.#registered.delete(segment.sequence);
      this.#history.set(segment.sequence, segment);
    }
  }
}

/** What is above the log. */
export async function makeDirectories({ storage }: Env): Promise<void> {
  for (const directory of [DIRECTORY, `${DIRECTORY}/tmp`]) await storage.mkdir(directory);
  await storage.syncDirectory("/");
  await storage.syncDirectory(DIRECTORY);
}
