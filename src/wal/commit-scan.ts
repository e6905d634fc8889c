/**
 * COMMITS FOUND IN A BATCH without decoding what they changed: for a segment that has no index.
 *
 * (1) Frames are stepped over by their lengths. A kind that is not known here is decoded.
 * (2) A commit frame says by its span where its commit begins; that may be in a batch before.
 * (3) Of the frames it steps over it tells one kind only: chunks that hold pages of a commit.
 */
import { BATCH_HEADER } from "./batch.ts";
import { FrameReader } from "./bytes.ts";
import type { CommitPosition } from "./commit-trail.ts";
import type { Place } from "./corrupt.ts";
import { FrameKind, type SpillFields } from "./frame.ts";
import { decodeFrame } from "./frame-decode.ts";

export interface ScannedBatch {
  readonly startLsn: number;
  readonly payload: Uint8Array;
  /** Where the payload lies, for messages. */
  readonly place: Place;
  /** Told of each chunk that a commit names, whether its commit frame lies in the batch or not. */
  readonly onSpill?: (spilled: SpillFields) => void;
}

export interface ScannedCommit extends CommitPosition {
  /** LSN of the first frame of its group; undefined for a commit that is alone. */
  readonly groupId: number | undefined;
  /** Commits of the group; 1 for a commit that is alone. */
  readonly groupCount: number;
}

const SUM_BYTES = 4;

export class CommitScan {
  readonly #payloadLsn: number;
  readonly #reader: FrameReader;
  readonly #onSpill: ((spilled: SpillFields) => void) | undefined;

  constructor({ startLsn, payload, place, onSpill }: ScannedBatch) {
    this.#payloadLsn = startLsn + BATCH_HEADER.sizeBytes;
    this.#reader = new FrameReader(payload, place);
    this.#onSpill = onSpill;
  }

  /** Where the next commit to be found ends, or the batch does. */
  get at(): number {
    return this.#reader.at;
  }

  /** The next commit whose commit frame lies in the batch; undefined if there is none. */
  next(): ScannedCommit | undefined {
    const reader = this.#reader;
    while (!reader.done) {
      const frameAt = reader.at;
      const kind = reader.bytes[frameAt];
      if (stepOver(reader, kind)) continue;
      const frameLsn = this.#payloadLsn + frameAt;
      const decoded = decodeFrame(reader, frameLsn);
      if (decoded.type !== "commit") {
        if (decoded.change.kind === "spill") this.#onSpill?.(decoded.change);
        continue;
      }
      const { stream, span, pageCount, pageBytes, groupId, groupCount = 1 } = decoded.commit;
      if (span > frameLsn) throw reader.corrupt("a commit begins before the log does");
      const lsn = this.#payloadLsn + reader.at;
      const firstLsn = frameLsn - span;
      return { stream, firstLsn, lsn, pageCount, pageBytes, groupId, groupCount };
    }
    return undefined;
  }
}

/** False if nothing was read. */
function stepOver(reader: FrameReader, kind: number | undefined): boolean {
  switch (kind) {
    case FrameKind.page:
      reader.u8();
      reader.varint();
      reader.skip(reader.varint());
      return true;
    case FrameKind.sparse:
      reader.u8();
      reader.varint();
      reader.varint();
      reader.skip(reader.u16());
      return true;
    case FrameKind.delta:
      reader.u8();
      reader.varint();
      reader.varint();
      reader.skip(SUM_BYTES);
      reader.skip(reader.u16());
      return true;
    case FrameKind.entry:
      reader.u8();
      reader.skip(reader.varint());
      return true;
    default:
      return false;
  }
}
