/**
 * A STORE OF NOTHING BUT A LOG, for tests: what the manifest would remember is remembered here, and
 * commits are entries that carry their own number.
 *
 * (1) What is remembered changes after a simulated wait, so that a crash may come before it.
 */
import { expect } from "vitest";
import type { IoChoice } from "../base/driver.ts";
import type { Env } from "../base/env.ts";
import { StorageError } from "../base/errors.ts";
import { LSN_ZERO, type Lsn, type SegmentSequence, streamId } from "../base/units.ts";
import { DeadProcessError, type SimulatedWorld, simulatedWorld } from "../io/index.ts";
import type { ReplayedCommit } from "../wal/index.ts";
import {
  type HistorySegment,
  type Log,
  type LogLimits,
  type RecoveredLog,
  recoverLog,
  type SegmentArchive,
  type StoredLog,
} from "./index.ts";

export const STORE_ID = Uint8Array.from({ length: 16 }, (_, i) => 200 - i);
export const WAL = "/store/wal";
export const STREAM = streamId(9);

export interface Sealed {
  readonly lsn: number;
  readonly id: number;
  readonly bytes: number;
}

export class LogStore {
  readonly registered = new Set<SegmentSequence>();
  readonly history = new Map<SegmentSequence, HistorySegment>();
  /** Up to where history is needed by nobody; undefined where there is to be none. */
  horizonLsn: Lsn | undefined;
  /** Up to where a sink is known to have the log; undefined where there is none. */
  archivedLsn: Lsn | undefined;
  /** Where copies of its segments lie, if anywhere. */
  archive: SegmentArchive | undefined;
  readonly limits: Partial<LogLimits>;
  io: IoChoice = "auto";
  checkpointLsn: Lsn = LSN_ZERO;
  durableFloorLsn: Lsn = LSN_ZERO;
  /** Commits that were sealed and are not known to be lost, in order. */
  sealed: Sealed[] = [];
  /** How the next registrations are refused, if they are. They may have been made all the same. */
  refusals: { readonly code: "EIO" | "ENOSPC" | "BOP_DISK_FULL"; readonly isMade: boolean }[] = [];
  /** All commits up to here were acknowledged. */
  acknowledgedLsn = 0;
  #nextId = 1;

  constructor(limits: Partial<LogLimits> = {}) {
    this.limits = { segmentBytes: 256 * 1024, bufferBytes: 128 * 1024, ...limits };
  }

  async recover(env: Env): Promise<{ recovered: RecoveredLog; found: Sealed[] }> {
    const found: Sealed[] = [];
    const remember = (change: () => void) => env.clock.sleep(1).then(change);
    const driver = await env.storage.driver({ directory: WAL, io: this.io });
    const recovered = await recoverLog(
      {
        env,
        driver,
        directory: WAL,
        storeId: STORE_ID,
        registered: [...this.registered],
        register: (sequence) => remember(() => this.#register(sequence)),
        unregister: (gone, kept) => remember(() => this.#strike(gone, kept)),
        history: [...this.history.values()],
        ...(this.horizonLsn !== undefined && { horizonLsn: this.horizonLsn }),
        ...(this.archivedLsn !== undefined && { archivedLsn: this.archivedLsn }),
        ...(this.archive !== undefined && { archive: this.archive }),
        checkpointLsn: this.checkpointLsn,
        durableFloorLsn: this.durableFloorLsn,
        limits: this.limits,
      },
      (commit) => {
        if (commit.stream === STREAM) found.push(sealedOf(commit));
      },
    );
    return { recovered, found };
  }

  /** Recovers, checks that nothing acknowledged is lost and nothing invented, and starts. */
  async open(env: Env): Promise<StoredLog> {
    const { recovered, found } = await this.recover(env);
    this.check(found);
    return recovered.start();
  }

  check(found: readonly Sealed[]): void {
    const above = this.sealed.filter(({ lsn }) => lsn > this.checkpointLsn);
    expect(found).toEqual(above.slice(0, found.length));
    const promised = above.filter(({ lsn }) => lsn <= this.acknowledgedLsn);
    expect(found.length).toBeGreaterThanOrEqual(promised.length);
    const newest = found.at(-1)?.lsn ?? this.checkpointLsn;
    this.sealed = this.sealed.filter(({ lsn }) => lsn <= newest);
  }

  /** Stages and seals a commit of this many bytes; the caller kicks or waits. */
  commit(log: Log, bytes: number): Lsn {
    const id = this.#nextId++;
    const staged = log.stage(STREAM);
    for (let rest = bytes; rest > 0; rest -= 50_000) {
      const entry = new Uint8Array(Math.min(rest, 50_000) + 8).fill(id);
      new DataView(entry.buffer).setFloat64(0, id);
      staged.entry(entry);
    }
    const lsn = staged.seal({ pageCount: 0, pageBytes: 0 });
    this.sealed.push({ lsn, id, bytes });
    return lsn;
  }

  async commitDurably(log: Log, bytes: number): Promise<void> {
    const lsn = this.commit(log, bytes);
    await log.durable(lsn);
    this.acknowledgedLsn = Math.max(this.acknowledgedLsn, lsn);
  }

  /** What a checkpoint would do: the manifest first, then the log. */
  async checkpoint(env: Env, log: Log): Promise<void> {
    const lsn = log.durableLsn;
    await env.clock.sleep(1);
    this.checkpointLsn = this.durableFloorLsn = lsn;
    await log.release(lsn, this.horizonLsn);
  }

  #register(sequence: SegmentSequence): void {
    const refusal = this.refusals.shift();
    if (refusal?.isMade !== false) this.registered.add(sequence);
    if (refusal !== undefined) throw Object.assign(new Error("refused"), { code: refusal.code });
  }

  #strike(gone: readonly SegmentSequence[], kept: readonly HistorySegment[]): void {
    for (const sequence of gone) {
      this.registered.delete(sequence);
      this.history.delete(sequence);
    }
    for (const segment of kept) {
      this.registered.delete(segment.sequence);
      this.history.set(segment.sequence, segment);
    }
  }

  path(sequence: number): string {
    return `${WAL}/${sequence.toString(16).padStart(16, "0")}.wal`;
  }
}

function sealedOf(commit: ReplayedCommit): Sealed {
  let bytes = 0;
  let id = -1;
  for (const frame of commit.frames) {
    if (frame.kind !== "entry") throw new Error(`a ${frame.kind} frame was never staged`);
    const { payload } = frame;
    id = new DataView(payload.buffer, payload.byteOffset).getFloat64(0);
    const expected = new Uint8Array(payload.length - 8).fill(id);
    if (Buffer.compare(payload.subarray(8), expected) !== 0) throw new Error("wrong bytes");
    bytes += payload.length - 8;
  }
  return { lsn: commit.lsn, id, bytes };
}

/** A world whose disk has the directory of the store. */
export async function worldOf(seed: number): Promise<SimulatedWorld> {
  const world = simulatedWorld({ seed });
  const { storage } = world.start();
  await world.run(async () => {
    await storage.mkdir("/store");
    await storage.syncDirectory("/");
  });
  return world;
}

/** Runs a process until it is done or dead. Of the dead, only the checks are heard. */
export async function live(world: SimulatedWorld, life: () => Promise<void>): Promise<void> {
  try {
    await world.run(life);
  } catch (error) {
    const died = error instanceof DeadProcessError || error instanceof StorageError;
    if (!died || world.alive) throw error;
  }
}
