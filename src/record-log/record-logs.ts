/**
 * THE RECORD LOGS OF A STORE: their state in memory, their commits in the store's log, their part in
 * its checkpoints.
 *
 *   decode what the manifest has ──► replay, replay, … ──► attach(host) ──► write, read … ──► close
 *
 * (1) A change is planned, staged, sealed and applied within one call, or refused before anything
 *     of it happened.
 * (2) A change over several logs is a group of commits of the store's log: all count, or none.
 * (3) Entries stay in memory until a checkpoint has put them into a chunk, and after that while
 *     all such entries take no more than `cacheBytes`: the oldest of the log that was written to
 *     longest ago go first.
 * (4) What a store is opened with is durable on this machine, and shown as durable when the host says
 *     so of its LSN: that of the commit or group which recovery read, or of the newest commit that a
 *     checkpoint has of the log.
 */
import { assert, present } from "../base/assert.ts";
import { StorageError } from "../base/errors.ts";
import { type ChunkId, LSN_ZERO, type Lsn, type StreamId } from "../base/units.ts";
import type { CatalogueEntry, ChunkRow, RecordLogRow } from "../manifest/index.ts";
import type { Log, ReplayedCommit } from "../write/index.ts";
import type { LogChange, NewLogEntry } from "./api.ts";
import { Arena } from "./arena.ts";
import { decodeBody } from "./body.ts";
import { Malformed, Reader, U64_MAX, Writer } from "./bytes.ts";
import { CarriedChunks, type StoredChunks } from "./carried-chunks.ts";
import { ChunkReader } from "./chunk-reader.ts";
import { RecordLogCore } from "./core.ts";
import { LogsShare } from "./logs-share.ts";
import { markApplied, type OpenLog, openLog } from "./open-log.ts";
import {
  decodeOperations,
  encodeAppend,
  encodeOneEntry,
  encodeOperation,
  joinedParts,
  type Operation,
  roomFor,
} from "./operations.ts";
import { keptFieldOf, type PlanFor, plan } from "./plan.ts";

export interface RecordLogLimits {
  readonly maxEntryBytes: number;
  readonly cacheBytes: number;
}

/** Told when a change is durable, or never will be. */
export interface WriteWaiter {
  release(): void;
  refuse(error: StorageError): void;
}

/** What record logs need of an open store. */
export interface LogHost {
  readonly log: Log;
  /** What counts as durable: at the level of the store, which may be less than the log says. */
  readonly durableLsn: Lsn;
  /** Throws why nothing can be written any more. */
  assertWritable(): void;
  /** Throws BOP_CLOSED. */
  assertOpen(): void;
  /** Releases the waiter when everything up to the LSN is durable: at once, if it is. */
  pass(lsn: Lsn, waiter: WriteWaiter): void;
  /** Somebody waits for what was sealed. */
  kick(): void;
}

export interface WriteMember {
  readonly log: OpenLog;
  readonly change: LogChange;
}

export interface RecordLogsStats {
  readonly known: number;
  /** Memory of entries that are in no chunk yet. */
  readonly unstoredBytes: number;
  /** Memory of entries that are in a chunk too. */
  readonly cachedBytes: number;
  readonly chunks: number;
  readonly chunkBytes: number;
  readonly blocksRead: number;
}

export interface RecordLogsOptions {
  readonly rows: readonly RecordLogRow[];
  readonly chunks: readonly ChunkRow[];
  readonly source: StoredChunks;
  readonly limits: RecordLogLimits;
  /** For errors. */
  readonly nameOf: (stream: StreamId) => string;
}

/** With what stands before it, it fits in one frame. */
const SMALL_PAYLOAD_BYTES_MAX = 4000;
const NO_PAGES = { pageCount: 0, pageBytes: 0 } as const;

export class RecordLogs {
  readonly reader: ChunkReader;
  readonly limits: RecordLogLimits;
  readonly nameOf: (stream: StreamId) => string;
  /** In the order in which they were last written to, as far as checkpoints know. */
  readonly #logs = new Map<StreamId, OpenLog>();
  readonly #chunks = new Map<ChunkId, ChunkRow>();
  readonly #carried: CarriedChunks;
  readonly #dirty = new Set<OpenLog>();
  readonly #arena = new Arena();
  /** What stands before the payload of a lone entry; made anew for each. */
  readonly #head = new Writer();
  readonly #smallBytes: number;
  #host: LogHost | undefined;
  #unstoredBytes = 0;

  constructor({ rows, chunks, source, limits, nameOf }: RecordLogsOptions) {
    this.reader = new ChunkReader(source);
    this.#carried = new CarriedChunks(source);
    this.limits = limits;
    this.#smallBytes = Math.min(limits.maxEntryBytes, SMALL_PAYLOAD_BYTES_MAX);
    this.nameOf = nameOf;
    for (const row of chunks) if (row.kind === "records") this.#chunks.set(row.chunk, row);
    for (const { stream, state, name, lsn, body } of rows) {
      if (state === "live") this.#add(stream, decodeBody(body, { log: name, lsn }));
    }
  }

  get host(): LogHost {
    return present(this.#host, "a host is attached before a record log is used");
  }

  get stats(): RecordLogsStats {
    let cachedBytes = 0;
    let chunkBytes = 0;
    for (const { core } of this.#logs.values()) cachedBytes += core.cachedBytes;
    for (const { fileBytes } of this.#chunks.values()) chunkBytes += fileBytes;
    return {
      known: this.#logs.size,
      unstoredBytes: this.#unstoredBytes,
      cachedBytes,
      chunks: this.#chunks.size,
      chunkBytes,
      blocksRead: this.reader.blocksRead + this.#carried.blocksRead,
    };
  }

  /** Chunks of entries that checkpoints name now. */
  get chunks(): ReadonlyMap<ChunkId, ChunkRow> {
    return this.#chunks;
  }

  /** About what the entries of a log take: in memory, and their share of their chunks. */
  sizeBytes(stream: StreamId): number {
    const core = this.#logs.get(stream)?.core;
    // It was dropped, which is not durable yet.
    if (core === undefined) return 0;
    let bytes = core.unstoredBytes;
    for (const { chunk, first, last } of core.ranges) {
      const row = this.#chunks.get(chunk);
      if (row === undefined) continue;
      bytes += (row.fileBytes * (Number(last - first) + 1)) / Math.max(1, row.pageCount);
    }
    return Math.ceil(bytes);
  }

  /** Memory that only a checkpoint can free. */
  get unstoredBytes(): number {
    return this.#unstoredBytes;
  }

  /** The next checkpoint has something to write about a log. */
  get isDirty(): boolean {
    return this.#dirty.size > 0;
  }

  /** Logs whose commits no checkpoint has folded hold the store's log: from where on. */
  holdsLog(): { readonly stream: StreamId; readonly fromLsn: Lsn }[] {
    return [...this.#logs.values()].flatMap(({ stream, core }) => {
      return core.holdsFrom === undefined ? [] : [{ stream, fromLsn: core.holdsFrom }];
    });
  }

  attach(host: LogHost): void {
    this.#host = host;
    this.#dirty.clear();
    for (const log of this.#logs.values()) {
      const { core, marks } = log;
      assert(core.lsn <= host.log.durableLsn, "what a store is opened with is durable here");
      marks.durable(host.durableLsn); // Nobody needs these marks any more.
      if (core.isDirty) this.#dirty.add(log);
    }
    this.#recount();
  }

  /** A log was created: in memory, it is there. */
  add(stream: StreamId): void {
    this.#add(stream);
    this.touch(stream);
  }

  /** The next checkpoint writes what the manifest keeps of it anew. */
  touch(stream: StreamId): void {
    const log = this.#logs.get(stream);
    if (log === undefined) return;
    log.core.touch();
    this.#dirty.add(log);
  }

  /** False for a log of another store. */
  owns(log: OpenLog): boolean {
    return log.gone !== undefined || this.#logs.get(log.stream) === log;
  }

  get(stream: StreamId): OpenLog {
    return present(this.#logs.get(stream), "a record log of the catalogue is known");
  }

  /** It was dropped. The next checkpoint lets its chunks go. */
  drop(stream: StreamId, why: StorageError): void {
    const log = this.#logs.get(stream);
    if (log === undefined) return;
    log.gone = why;
    this.#unstoredBytes -= log.core.unstoredBytes;
    this.#logs.delete(stream);
    this.#dirty.delete(log);
  }

  /** Takes an entry of the catalogue about a record log that recovery read. */
  follow({ type, stream }: CatalogueEntry): void {
    if (type === "createLog") this.#add(stream);
    if (type === "drop") this.#logs.delete(stream);
    else this.#logs.get(stream)?.core.touch();
  }

  /** Takes a commit that recovery read, of a log that is there. Throws BOP_CORRUPT. */
  replay({ stream, lsn, groupLsn = lsn, frames }: ReplayedCommit): void {
    const log = this.get(stream);
    try {
      const bytes = joinedParts(frames);
      log.core.apply(decodeOperations(new Reader(bytes)), groupLsn);
      markApplied(log, groupLsn, LSN_ZERO); // See (4): what the host will say is not known yet.
    } catch (cause) {
      if (!(cause instanceof Malformed)) throw cause;
      const file = `record log ${JSON.stringify(this.nameOf(stream))}`;
      const why = `the commit at LSN ${lsn} does not fit: ${cause.message}`;
      const details = { file, offset: 0, why };
      throw new StorageError("BOP_CORRUPT", `${file}: ${why}`, { details, cause });
    }
  }

  /** The entry whose field a compaction keeps: see plan.ts. What of it is in a chunk is read first. */
  keptFieldOf(log: OpenLog, change: LogChange): bigint | undefined {
    return keptFieldOf(log.core, change, this.#planFor(log));
  }

  /** See (1) and (2). Returns the LSN at which all of it is durable. */
  write(members: readonly WriteMember[]): Lsn {
    const { log: wal, assertWritable } = this.host;
    assertWritable();
    const planned: { log: OpenLog; operations: Operation[]; bytes: Uint8Array }[] = [];
    let lsn = this.host.durableLsn;
    for (const { log, change } of members) {
      if (log.gone !== undefined) throw log.gone;
      const operations = plan(log.core, change, this.#planFor(log));
      if (operations.length > 0) planned.push({ log, ...this.#encode(operations) });
      else if (log.core.lsn > lsn) lsn = log.core.lsn;
    }
    for (const { log, bytes } of planned) {
      const frames = wal.stage(log.stream);
      frames.records(bytes);
      lsn = frames.seal(NO_PAGES, planned.length);
    }
    for (const { log, operations } of planned) this.#apply(log, operations, lsn);
    return lsn;
  }

  /**
   * The same for what is appended most: one entry that follows the last, of the same term, small and
   * without a field. Undefined for any other, of which nothing happened: `write` judges it.
   */
  appendOne(log: OpenLog, { term, index, field, payload }: NewLogEntry): Lsn | undefined {
    const { core, marks } = log;
    if (log.gone !== undefined || log.turn !== undefined || field !== undefined) return undefined;
    if (!core.takes(index, term)) return undefined;
    if (!(payload instanceof Uint8Array) || payload.length > this.#smallBytes) return undefined;
    if (index > U64_MAX) return undefined;
    const { host } = this;
    const { log: wal } = host;
    host.assertWritable();
    encodeOneEntry(this.#head, { index, term, payloadBytes: payload.length });
    const frames = wal.stage(log.stream);
    frames.record(this.#head, payload);
    const lsn = frames.seal(NO_PAGES);
    const before = core.unstoredBytes;
    core.appendOne(this.#arena.store(term, payload), lsn);
    marks.append(lsn, index, host.durableLsn);
    this.#unstoredBytes += core.unstoredBytes - before;
    this.#noteDirty(log);
    return lsn;
  }

  /** The log failed: what is above `durableLsn` is not to be seen. */
  dropAbove(durableLsn: Lsn): void {
    for (const { core, marks } of this.#logs.values()) core.dropAbove(marks.durableAt(durableLsn));
  }

  /** Takes part in a checkpoint that begins now; undefined if there is nothing to do. */
  begin(): LogsShare | undefined {
    const share = new LogsShare({
      logs: [...this.#logs.values()],
      dirty: this.#dirty,
      chunks: this.#chunks,
      carried: this.#carried,
      installed: () => this.#recount(),
      forget: (chunk) => {
        this.#carried.forget(chunk);
        void this.reader.forget(chunk);
      },
    });
    if (share.isEmpty) return undefined;
    this.#dirty.clear();
    return share;
  }

  /** After a checkpoint failed: what it had captured is to be done again. */
  again(streams: Iterable<number>): void {
    for (const stream of streams) {
      this.#logs.get(stream as StreamId)?.core.abandon();
      this.touch(stream as StreamId);
    }
  }

  /** The file of a chunk was damaged, and is whole again. */
  healed(chunk: ChunkId): void {
    this.#carried.forget(chunk);
  }

  /** See (3). */
  trim(): void {
    let over = -this.limits.cacheBytes;
    for (const { core } of this.#logs.values()) over += core.cachedBytes;
    for (const { core } of this.#logs.values()) {
      if (over <= 0) return;
      const before = core.cachedBytes;
      core.evict(over);
      over -= before - core.cachedBytes;
    }
  }

  close(): Promise<void> {
    return this.reader.close();
  }

  #planFor({ stream }: OpenLog): PlanFor {
    return { log: this.nameOf(stream), maxEntryBytes: this.limits.maxEntryBytes };
  }

  #add(stream: StreamId, moment?: ConstructorParameters<typeof RecordLogCore>[0]): void {
    assert(!this.#logs.has(stream), () => `record log ${stream} is there twice`);
    this.#logs.set(stream, openLog(stream, new RecordLogCore(moment)));
  }

  /** What goes into the frames; entries become views of it, which lives on in memory. */
  #encode(operations: Operation[]): { operations: Operation[]; bytes: Uint8Array } {
    let room = 0;
    for (const operation of operations) room += roomFor(operation);
    const into = new Writer(this.#arena.reserve(room));
    const kept = operations.map((operation): Operation => {
      if (operation.kind === "append") {
        return { ...operation, entries: encodeAppend(into, operation) };
      }
      encodeOperation(into, operation);
      return operation;
    });
    this.#arena.keep(into.bytes, into.at);
    return { operations: kept, bytes: into.written() };
  }

  #apply(log: OpenLog, operations: readonly Operation[], lsn: Lsn): void {
    const { core } = log;
    const before = core.unstoredBytes;
    core.apply(operations, lsn);
    markApplied(log, lsn, this.host.durableLsn);
    this.#unstoredBytes += core.unstoredBytes - before;
    this.#noteDirty(log);
  }

  #noteDirty(log: OpenLog): void {
    if (this.#dirty.has(log)) return;
    this.#dirty.add(log);
    this.#logs.delete(log.stream);
    this.#logs.set(log.stream, log);
  }

  #recount(): void {
    let bytes = 0;
    for (const { core } of this.#logs.values()) bytes += core.unstoredBytes;
    this.#unstoredBytes = bytes;
  }
}
