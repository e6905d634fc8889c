/**
 * THE SHELF: chunks that transactions wrote themselves, found when the store was opened, which the
 * manifest does not name. A commit in the log may: it was synced after they were.
 *
 *   found, checked from end to end ──► claimed by a replayed commit ──► as any spilled commit
 *                                └───► claimed by none ──► removed after the next checkpoint
 *
 * (1) A commit whose chunk is missing or not as its frame says is BOP_CORRUPT: it was durable.
 * (2) Who is left on the shelf when every commit of the log was replayed or is dead belongs to a
 *     transaction that was never committed. So nothing is removed before the first checkpoint.
 * (3) A damaged chunk that no commit claims is nobody's loss, and reported to nobody.
 * (4) One that the device did not read is looked at again before a commit that may claim it is
 *     replayed, and so is one that was damaged, once a commit has wanted it: a fault that is over is
 *     nobody's loss either.
 */
import { assert } from "../../base/assert.ts";
import type { File, Storage } from "../../base/env.ts";
import { ioError, StorageError } from "../../base/errors.ts";
import { type ChunkId, chunkId, type StreamId } from "../../base/units.ts";
import { decodeChunk, FOOTER, recordBytes } from "../../chunk/index.ts";
import type { ReplayedCommit, ReplayedFrame, SpillFields } from "../../write/index.ts";
import { chunkPath } from "../chunks/chunk-files.ts";
import { SlotMap } from "./slot-map.ts";
import { SpilledPages } from "./spilled.ts";

type SpillFrame = Extract<ReplayedFrame, { kind: "spill" }>;

/** What a sound chunk holds, as far as a commit has to know. */
interface Sound {
  readonly fileBytes: number;
  readonly directoryCrc: number;
  readonly stream: number;
  readonly lsn: number;
  readonly recordBytes: number;
  readonly pageNumbers: Uint32Array;
}

export interface ShelfPlace {
  readonly storage: Storage;
  readonly directory: string;
  readonly storeId: Uint8Array;
}

export class SpillShelf {
  /** Ids above it are free, as far as the shelf goes. */
  readonly highest: ChunkId;
  readonly #place: ShelfPlace;
  /** A string says what is wrong with a chunk, an error why it could not be read. */
  readonly #found: Map<ChunkId, Sound | string | StorageError>;
  /** Those that a commit names and could not claim. */
  readonly #wanted = new Set<ChunkId>();

  private constructor(place: ShelfPlace, found: Map<ChunkId, Sound | string | StorageError>) {
    this.#place = place;
    this.#found = found;
    this.highest = chunkId(Math.max(0, ...found.keys()));
  }

  /** Reads and checks every one of `chunks`. */
  static async open(place: ShelfPlace, chunks: readonly ChunkId[]): Promise<SpillShelf> {
    const found = new Map<ChunkId, Sound | string | StorageError>();
    for (const chunk of chunks) found.set(chunk, await examine(place, chunk));
    return new SpillShelf(place, found);
  }

  /** See (4). Nothing is to be done, as a rule. */
  async lookAgain(): Promise<void> {
    const unsound = [...this.#found].filter(([chunk, found]) => {
      return found instanceof StorageError || this.#wanted.has(chunk);
    });
    for (const [chunk, before] of unsound) {
      const found = await examine(this.#place, chunk);
      this.#wanted.delete(chunk);
      // Somebody else may have looked meanwhile, and a commit have claimed it.
      if (this.#found.get(chunk) === before) this.#found.set(chunk, found);
    }
  }

  /**
   * The pages that a commit left in chunks of its own, as pages of its family; undefined if it has
   * none. Claims all of them, or none.
   */
  claim(commit: ReplayedCommit, family: StreamId): SpilledPages | undefined {
    const frames = commit.frames.filter((frame): frame is SpillFrame => frame.kind === "spill");
    const [first] = frames;
    if (first === undefined) return undefined;
    const slotsPerChunk = first.pageCount;
    const slots = new SlotMap();
    for (const [index, frame] of frames.entries()) {
      const { pageNumbers } = this.#soundOf(frame, commit, family);
      const isLast = index === frames.length - 1;
      if (isLast ? pageNumbers.length > slotsPerChunk : pageNumbers.length !== slotsPerChunk) {
        throw this.#corrupt(frame, "it is not as full as the others of its commit");
      }
      for (const [slot, pageNumber] of pageNumbers.entries()) {
        if (pageNumber <= commit.pageCount) slots.set(pageNumber, index * slotsPerChunk + slot);
      }
    }
    for (const { chunk } of frames) this.#found.delete(chunk);
    const chunks = frames.map(fieldsOf);
    return new SpilledPages(chunks, slots, { pageBytes: commit.pageBytes, slotsPerChunk });
  }

  /** What no commit claimed; asked for once all were replayed. See (2). */
  takeUnclaimed(): ChunkId[] {
    const unclaimed = [...this.#found.keys()];
    this.#found.clear();
    return unclaimed;
  }

  #soundOf(frame: SpillFrame, commit: ReplayedCommit, family: StreamId): Sound {
    const found = this.#found.get(frame.chunk) ?? "the file is missing";
    if (found instanceof StorageError || typeof found === "string") this.#wanted.add(frame.chunk);
    if (found instanceof StorageError) throw found;
    if (typeof found === "string") throw this.#corrupt(frame, found);
    const agrees =
      found.fileBytes === frame.fileBytes &&
      found.directoryCrc === frame.directoryCrc &&
      found.pageNumbers.length === frame.pageCount &&
      found.recordBytes === recordBytes(commit.pageBytes);
    if (!agrees || found.stream !== family || found.lsn > commit.lsn) {
      throw this.#corrupt(frame, "it is not the one that the commit names");
    }
    return found;
  }

  #corrupt({ chunk }: SpillFields, why: string): StorageError {
    const file = chunkPath(this.#place.directory, chunk);
    return new StorageError("BOP_CORRUPT", `a commit needs ${file}: ${why}`, {
      details: { file, offset: 0, why },
    });
  }
}

function fieldsOf({ chunk, fileBytes, pageCount, directoryCrc }: SpillFields): SpillFields {
  return { chunk, fileBytes, pageCount, directoryCrc };
}

async function examine(place: ShelfPlace, chunk: ChunkId): Promise<Sound | string | StorageError> {
  const path = chunkPath(place.directory, chunk);
  let file: File | undefined;
  try {
    file = await place.storage.open(path, "read");
    const bytes = new Uint8Array(await file.size());
    const count = await file.read(bytes, 0);
    return soundness(bytes.subarray(0, count), { chunk, storeId: place.storeId });
  } catch (cause) {
    return ioError("read", path, cause);
  } finally {
    await file?.close().catch(() => undefined);
  }
}

function soundness(
  bytes: Uint8Array,
  expected: { readonly chunk: ChunkId; readonly storeId: Uint8Array },
): Sound | string {
  const whole = decodeChunk(bytes);
  if (typeof whole === "string") return whole;
  const { header, entries } = whole;
  const ours = Buffer.from(expected.storeId).equals(header.storeId);
  if (!ours || header.chunk !== expected.chunk) return "another chunk lies in its place";
  const [first] = entries;
  if (first === undefined) return "it has no pages";
  const like = entries.every(
    ({ stream, recordBytes, lsn }) =>
      stream === first.stream && recordBytes === first.recordBytes && lsn === first.lsn,
  );
  if (!like) return "its pages are not of one transaction";
  const footer = bytes.subarray(bytes.length - FOOTER.sizeBytes);
  const view = new DataView(footer.buffer, footer.byteOffset, footer.length);
  assert(footer.length === FOOTER.sizeBytes, "a chunk that was decoded has a footer");
  return {
    fileBytes: bytes.length,
    directoryCrc: view.getUint32(FOOTER.offset.directoryCrc, true),
    stream: first.stream,
    lsn: first.lsn,
    recordBytes: first.recordBytes,
    pageNumbers: Uint32Array.from(entries, ({ pageNumber }) => pageNumber),
  };
}
