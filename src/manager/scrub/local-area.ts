/**
 * THIS DISK, PIECE BY PIECE: superblock, mirror, segments of the log that are sealed or history, chunks.
 *
 *   1 superblock   2 manifest.mirror   3 <sequence>   4 <chunk>        16 hexadecimal digits each
 *
 * (1) What is written while a pass runs has the turn of the next one. The segment that takes batches
 *     is not read: what it holds is in memory, or is checked when the store opens.
 * (2) A damaged segment is put back from the sink, if that has it. If not, a checkpoint sees to it that
 *     no start needs it any more: what it holds is in memory, as long as the store is open.
 */
import type { ChunkId } from "../../base/units.ts";
import type { ChunkRow } from "../../manifest/index.ts";
import type { Found, ScrubArea, ScrubPiece } from "./area.ts";
import { type ChunkGround, checkLocalChunk } from "./local-chunk.ts";
import { type EndedSegment, type SegmentGround, segmentDamage } from "./log-segment.ts";
import type { PacedReads } from "./paced-reads.ts";
import type { PassBytes } from "./pass-plan.ts";
import {
  checkMirror,
  checkSuperblock,
  type StoreFilesGround,
  SUPERBLOCK_FILE,
  SUPERBLOCK_FILE_BYTES,
} from "./store-files.ts";

export interface LocalGround extends ChunkGround, SegmentGround, StoreFilesGround {
  /** Of pages and of record logs. */
  chunks(): Iterable<Pick<ChunkRow, "chunk" | "kind" | "fileBytes">>;
  /** Puts a segment back from the sink. False if that does not have it. */
  healSegment(segment: EndedSegment): Promise<boolean>;
  /** As it is called from the store's directory. */
  segmentFile(segment: EndedSegment): string;
  /** No start needs the log up to here any more. Rejects if that cannot be done. */
  checkpoint(): Promise<void>;
}

const LEAST_BYTES = 4096;
const MIRROR_POSITION = "2 manifest.mirror";

export class LocalArea implements ScrubArea {
  readonly #ground: LocalGround;

  constructor(ground: LocalGround) {
    this.#ground = ground;
  }

  async survey(position: string): Promise<PassBytes> {
    let [doneBytes, leftBytes] = [0, 0];
    for (const piece of this.#all()) {
      if (piece.position <= position) doneBytes += piece.bytes;
      else leftBytes += piece.bytes;
    }
    return { doneBytes, leftBytes };
  }

  async *pieces(after: string): AsyncGenerator<ScrubPiece> {
    for (const piece of this.#all()) if (piece.position > after) yield piece;
  }

  #all(): ScrubPiece[] {
    const ground = this.#ground;
    const pieces: ScrubPiece[] = [
      {
        position: `1 ${SUPERBLOCK_FILE}`,
        bytes: SUPERBLOCK_FILE_BYTES,
        kind: "file",
        check: (reads) => checkSuperblock(ground, reads),
      },
      {
        position: MIRROR_POSITION,
        bytes: Math.max(LEAST_BYTES, ground.mirror.stats.bytes),
        kind: "file",
        check: (reads) => checkMirror(ground, reads),
      },
    ];
    for (const segment of ground.segments()) {
      // One into which nothing came may have been refused by the device.
      if (segment.endLsn > segment.firstLsn) pieces.push(this.#segment(segment));
    }
    const chunks = [...ground.chunks()].sort((a, b) => a.chunk - b.chunk);
    for (const row of chunks) pieces.push(this.#chunk(row));
    return pieces;
  }

  #segment(segment: EndedSegment): ScrubPiece {
    return {
      position: `3 ${hex(segment.sequence)}`,
      bytes: LEAST_BYTES + segment.endLsn - segment.firstLsn,
      kind: "segment",
      check: (reads) => this.#checkSegment(segment, reads),
    };
  }

  #chunk(row: Pick<ChunkRow, "chunk" | "kind" | "fileBytes">): ScrubPiece {
    const isRemote = !this.#ground.residency.isHere(row.chunk);
    return {
      position: `4 ${hex(row.chunk)}`,
      bytes: isRemote ? 0 : row.fileBytes,
      kind: "chunk",
      check: (reads) => checkLocalChunk(row, this.#ground, reads),
    };
  }

  /** See (2). */
  async #checkSegment(segment: EndedSegment, reads: PacedReads): Promise<readonly Found[]> {
    const ground = this.#ground;
    let damage = await segmentDamage(segment, ground, reads);
    damage &&= await segmentDamage(segment, ground, reads); // The first may have been the read.
    if (damage === undefined) return [];
    const found = { ...damage, what: ground.segmentFile(segment), databases: [] };
    if (await ground.healSegment(segment)) {
      const left = await segmentDamage(segment, ground, reads);
      if (left === undefined) return [{ ...found, outcome: "healed" }];
    }
    const refused = await ground.checkpoint().then(() => undefined, String);
    const { firstLsn, endLsn } = segment;
    const lost = `moments between ${firstLsn} and ${endLsn} cannot be forked or restored from here`;
    const made =
      refused === undefined
        ? "a checkpoint was made, so that no start needs it"
        : `a start after a crash may need it, and the checkpoint was refused: ${refused}`;
    return [{ ...found, why: `${damage.why}; ${made}; ${lost}`, outcome: "reported" }];
  }
}

const hex = (id: number | ChunkId): string => id.toString(16).padStart(16, "0");
