/**
 * RECORD LOGS IN A CHECKPOINT: entries that lie in no chunk are written to chunks, those of sparse
 * chunks are carried over, and what the manifest keeps of each log is made anew.
 *
 *   capture ──► write chunks ──► the manifest names them ──► install
 *                   └──── any failure up to there ────► abandon: all as it was
 *
 * (1) What is written is the log as it was at the LSN of the checkpoint, whatever happens meanwhile.
 * (2) A payload is written once when it leaves the store's log, and again only when its chunk has
 *     become sparse: less than a third of it is still of use.
 * (3) A chunk that no log names any more is taken out of the manifest; its file goes after that.
 * (4) Entries of a sparse chunk that cannot be read now stay in it, from the first of a log that
 *     cannot: the log goes on naming it for them. See carried-chunks.ts.
 */
import { present } from "../base/assert.ts";
import type { ChunkId, Lsn } from "../base/units.ts";
import { KIB, MIB } from "../base/units.ts";
import { RecordChunkEncoder } from "../chunk/index.ts";
import type { ChunkRow } from "../manifest/index.ts";
import { Writer } from "./bytes.ts";
import type { Carrying } from "./carried-chunks.ts";
import type { Captured, RecordLogCore } from "./core.ts";
import type { StoredRange } from "./entry-places.ts";
import { encodedBytes, encodeEntries, entriesRoom, type StoredEntry } from "./operations.ts";

/** A file that is written under a temporary name and has its own when it is finished. */
export interface NewChunkFile {
  readonly chunk: ChunkId;
  write(bytes: Uint8Array, at: number): Promise<void>;
  /** Synced and named on return. */
  finish(): Promise<void>;
}

/** What a checkpoint lends to those who take part in it. */
export interface ChunkWork {
  readonly storeId: Uint8Array;
  readonly generation: number;
  create(): Promise<NewChunkFile>;
  /** Steps aside now and then; rejects with BOP_CLOSED when the store is closed. */
  pause(): Promise<void> | undefined;
}

export interface CheckpointedLog {
  readonly core: RecordLogCore;
  readonly captured: Captured;
  readonly stream: number;
  readonly ranges: readonly StoredRange[];
}

/** What a chunk holds and what of it is of use, in entries. */
export interface ChunkUse {
  readonly row: ChunkRow;
  readonly liveEntries: number;
}

const BLOCK_BYTES = 32 * KIB;
const CHUNK_BYTES_MAX = 64 * MIB;
const PIECE_BYTES = MIB;
const SPARSE_SHARE = 0.3;
/** A chunk smaller than this counts as sparse for its size. */
const SMALL_BYTES = 256 * KIB;
const CARRIED_BYTES_MAX = 16 * MIB;

/** Chunks to be carried over, the emptiest first. Pure. */
export function sparseChunks(uses: readonly ChunkUse[], isWriting: boolean): Set<ChunkId> {
  const candidates = uses.flatMap(({ row, liveEntries }) => {
    const liveBytes = (row.fileBytes * liveEntries) / Math.max(1, row.pageCount);
    const isSparse = liveBytes < SPARSE_SHARE * Math.max(row.fileBytes, SMALL_BYTES);
    return liveEntries > 0 && isSparse ? [{ chunk: row.chunk, liveBytes }] : [];
  });
  // One small chunk alone, and nothing to put with it, would be written again and again.
  if (candidates.length < 2 && !isWriting) return new Set();
  candidates.sort((a, b) => a.liveBytes - b.liveBytes || a.chunk - b.chunk);
  let bytes = 0;
  const fitting = candidates.filter(({ liveBytes }) => {
    bytes += liveBytes;
    return bytes <= CARRIED_BYTES_MAX;
  });
  return new Set(fitting.map(({ chunk }) => chunk));
}

/** Writes the entries of logs to chunks; a chunk holds those of many logs. */
export class RecordChunkWriter {
  readonly rows: ChunkRow[] = [];
  readonly #work: ChunkWork;
  readonly #carrying: Carrying;
  #current: { readonly file: NewChunkFile; readonly encoder: RecordChunkEncoder } | undefined;
  #pieces: Uint8Array[] = [];
  #pieceBytes = 0;
  #writtenTo = 0;
  #entries = 0;

  constructor(work: ChunkWork, carrying: Carrying) {
    this.#work = work;
    this.#carrying = carrying;
  }

  /** What of one log is in no chunk, or in one of `sparse`, see (4); returns its new ranges. */
  async add(
    { stream, captured }: { readonly stream: number; readonly captured: Captured },
    sparse: ReadonlySet<ChunkId>,
  ): Promise<StoredRange[]> {
    const { ranges, unstored, unstoredFirst, lsn } = captured;
    const all: StoredRange[] = [];
    for (const range of ranges) {
      if (sparse.has(range.chunk)) await this.#carry({ stream, lsn, range }, all);
      else all.push(range);
    }
    await this.#write({ stream, lsn, firstIndex: unstoredFirst, entries: unstored }, all);
    return joined(all);
  }

  async finish(): Promise<void> {
    const current = this.#current;
    if (current === undefined) return;
    this.#current = undefined;
    const { file, encoder } = current;
    await this.#flush(file);
    const { header, end } = encoder.finish();
    await file.write(end, encoder.endAt);
    await file.write(header, 0);
    await file.finish();
    const fileBytes = encoder.endAt + end.length;
    const counts = { pageCount: this.#entries, livePages: this.#entries, references: 1 };
    this.rows.push({ chunk: file.chunk, kind: "records", fileBytes, ...counts });
    this.#entries = 0;
  }

  async #carry(
    { stream, lsn, range }: { stream: number; lsn: Lsn; range: StoredRange },
    all: StoredRange[],
  ): Promise<void> {
    for (let index = range.first; index <= range.last; ) {
      const block = await this.#carrying.block(range.chunk, stream, index);
      if (block === undefined) {
        all.push({ ...range, first: index });
        return;
      }
      const skip = Number(index - block.firstIndex);
      const entries = block.entries.slice(skip, skip + Number(range.last - index) + 1);
      await this.#write({ stream, lsn, firstIndex: index, entries }, all);
      index += BigInt(entries.length);
    }
  }

  async #write(
    run: { stream: number; lsn: Lsn; firstIndex: bigint; entries: readonly StoredEntry[] },
    all: StoredRange[],
  ): Promise<void> {
    const { stream, lsn, firstIndex, entries } = run;
    for (let at = 0; at < entries.length; ) {
      await this.#work.pause();
      const count = entriesInBlock(entries, at);
      const block = entries.slice(at, at + count);
      const into = new Writer(new Uint8Array(entriesRoom(block)));
      encodeEntries(into, block);
      const body = into.written();
      const first = firstIndex + BigInt(at);
      const chunk = await this.#append({ stream, lsn, firstIndex: first, entryCount: count, body });
      all.push({ chunk, first, last: first + BigInt(count) - 1n });
      at += count;
    }
  }

  async #append(block: Parameters<RecordChunkEncoder["add"]>[0]): Promise<ChunkId> {
    if (this.#current !== undefined && this.#current.encoder.endAt > CHUNK_BYTES_MAX) {
      await this.finish();
    }
    if (this.#current === undefined) await this.#open();
    const { file, encoder } = present(this.#current, "a chunk was just begun");
    const bytes = encoder.add(block);
    this.#pieces.push(bytes);
    this.#pieceBytes += bytes.length;
    this.#entries += block.entryCount;
    if (this.#pieceBytes >= PIECE_BYTES) await this.#flush(file);
    return file.chunk;
  }

  async #open(): Promise<void> {
    const { storeId, generation } = this.#work;
    const file = await this.#work.create();
    const encoder = new RecordChunkEncoder({ chunk: file.chunk, generation, storeId });
    this.#current = { file, encoder };
    this.#writtenTo = encoder.endAt;
  }

  async #flush(file: NewChunkFile): Promise<void> {
    if (this.#pieceBytes === 0) return;
    const bytes = Buffer.concat(this.#pieces);
    await file.write(bytes, this.#writtenTo);
    this.#writtenTo += bytes.length;
    this.#pieces = [];
    this.#pieceBytes = 0;
  }
}

/** At least one. */
function entriesInBlock(entries: readonly StoredEntry[], from: number): number {
  let bytes = 0;
  for (let at = from; at < entries.length; at++) {
    bytes += encodedBytes(present(entries[at], "an entry"));
    if (bytes >= BLOCK_BYTES) return Math.max(1, at - from);
  }
  return entries.length - from;
}

/** Ranges that follow each other in one chunk are one. */
function joined(ranges: readonly StoredRange[]): StoredRange[] {
  const all: StoredRange[] = [];
  for (const range of ranges) {
    const before = all.at(-1);
    if (before !== undefined && before.chunk === range.chunk && before.last + 1n === range.first) {
      all[all.length - 1] = { ...before, last: range.last };
    } else {
      all.push(range);
    }
  }
  return all;
}
