/**
 * THE SHARE OF RECORD LOGS in one checkpoint: see checkpoint.ts for what it does.
 *
 * (1) Ranges of all logs are those of the moment at which it began: a chunk is let go only if no log
 *     named it then, for what happened since may not be durable.
 * (2) Chunks that are left as they are for now (carried-chunks.ts) make no checkpoint by themselves.
 * (3) Of a chunk that goes nothing is open any more when its file is removed: its room on the disk would
 *     not come back.
 */
import { present } from "../base/assert.ts";
import type { ChunkId, Lsn } from "../base/units.ts";
import type { ChunkRow } from "../manifest/index.ts";
import { encodeBody } from "./body.ts";
import { type CarriedChunks, Carrying } from "./carried-chunks.ts";
import {
  type CheckpointedLog,
  type ChunkWork,
  RecordChunkWriter,
  sparseChunks,
} from "./checkpoint.ts";
import type { Captured } from "./core.ts";
import type { StoredRange } from "./entry-places.ts";
import type { OpenLog } from "./open-log.ts";

export interface LogsShareParts {
  readonly logs: readonly OpenLog[];
  readonly dirty: ReadonlySet<OpenLog>;
  /** As the manifest has them; changed by `install`. */
  readonly chunks: Map<ChunkId, ChunkRow>;
  readonly carried: CarriedChunks;
  readonly installed: () => void;
  /** No log names it any more. */
  readonly forget: (chunk: ChunkId) => void;
}

/** What the manifest is told. */
export interface LogsWritten {
  readonly bodies: readonly {
    readonly stream: number;
    readonly lsn: Lsn;
    readonly body: Uint8Array;
  }[];
  readonly putChunks: readonly ChunkRow[];
  readonly removeChunks: readonly ChunkId[];
}

export class LogsShare {
  readonly #parts: LogsShareParts;
  readonly #captured = new Map<OpenLog, Captured>();
  /** Of all logs, as they are when it begins, and as they become. */
  readonly #ranges = new Map<OpenLog, readonly StoredRange[]>();
  readonly #sparse: ReadonlySet<ChunkId>;
  readonly #hasDead: boolean;
  readonly #logs: CheckpointedLog[] = [];
  #written: LogsWritten | undefined;

  constructor(parts: LogsShareParts) {
    this.#parts = parts;
    for (const log of parts.logs) this.#ranges.set(log, log.core.ranges);
    for (const log of parts.dirty) this.#captured.set(log, log.core.capture());
    const live = this.#liveEntries();
    const uses = [...parts.chunks.values()].map((row) => {
      return { row, liveEntries: live.get(row.chunk) ?? 0 };
    });
    this.#hasDead = uses.some(({ liveEntries }) => liveEntries === 0);
    const isWriting = [...this.#captured.values()].some(({ unstored }) => unstored.length > 0);
    const readable = uses.filter(({ row }) => !parts.carried.isLeft(row.chunk));
    this.#sparse = sparseChunks(readable, isWriting);
    for (const [log, ranges] of this.#ranges) {
      if (this.#captured.has(log)) continue;
      if (ranges.some(({ chunk }) => this.#sparse.has(chunk))) {
        this.#captured.set(log, log.core.capture());
      }
    }
  }

  get isEmpty(): boolean {
    return this.#captured.size === 0 && !this.#hasDead;
  }

  /** Streams whose rows it writes. */
  get streams(): number[] {
    return [...this.#captured.keys()].map(({ stream }) => stream);
  }

  async write(work: ChunkWork): Promise<LogsWritten> {
    const { chunks } = this.#parts;
    const putChunks = await this.#writeChunks(work);
    const live = this.#liveEntries();
    const removeChunks: ChunkId[] = [];
    for (const row of chunks.values()) {
      const livePages = live.get(row.chunk) ?? 0;
      if (livePages === 0) removeChunks.push(row.chunk);
      else if (livePages !== row.livePages) putChunks.push({ ...row, livePages });
    }
    const bodies = this.#logs.map(({ stream, captured, ranges }) => {
      return { stream, lsn: captured.lsn, body: encodeBody({ ...captured, ranges }) };
    });
    this.#written = { bodies, putChunks, removeChunks };
    return this.#written;
  }

  /** The manifest has it. */
  install(): void {
    const { chunks, forget, installed } = this.#parts;
    const { putChunks, removeChunks } = present(this.#written, "a share that was written");
    for (const { core, ranges } of this.#logs) core.install(ranges);
    for (const row of putChunks) chunks.set(row.chunk, row);
    for (const chunk of removeChunks) {
      chunks.delete(chunk);
      forget(chunk);
    }
    installed();
  }

  /** Returns the rows of those that it has written. */
  async #writeChunks(work: ChunkWork): Promise<ChunkRow[]> {
    const carrying = new Carrying(this.#parts.carried);
    try {
      const writer = new RecordChunkWriter(work, carrying);
      for (const [log, captured] of this.#captured) {
        const { stream, core } = log;
        const ranges = await writer.add({ stream, captured }, this.#sparse);
        this.#logs.push({ core, captured, stream, ranges });
        this.#ranges.set(log, ranges);
      }
      await writer.finish();
      return [...writer.rows];
    } finally {
      await carrying.end();
    }
  }

  /** Entries that each chunk is named for. */
  #liveEntries(): Map<ChunkId, number> {
    const live = new Map<ChunkId, number>();
    for (const ranges of this.#ranges.values()) {
      for (const { chunk, first, last } of ranges) {
        live.set(chunk, (live.get(chunk) ?? 0) + Number(last - first) + 1);
      }
    }
    return live;
  }
}
