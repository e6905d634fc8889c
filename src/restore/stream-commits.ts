/**
 * THE COMMITS OF A FEW STREAMS out of the log of a bucket, in order of LSN: only batches that have
 * some of them are read.
 *
 * (1) Every commit that the bucket's directories tell of is handed out, or it is BOP_SINK_CORRUPT:
 *     nothing is passed over.
 */
import { StorageError } from "../base/errors.ts";
import { type Lsn, lsn } from "../base/units.ts";
import { BATCH_HEADER, CommitAssembler, type ReplayedCommit } from "../wal/index.ts";
import type { ChunkKey, CommitSpan, ReadableBucket, ShippedBatch } from "./bucket.ts";

export interface StreamRange {
  readonly stream: number;
  readonly afterLsn: Lsn;
  readonly upToLsn: Lsn;
}

export interface StreamCommits {
  readonly commits: readonly ReplayedCommit[];
  /** Chunks that the log names there, of whatever stream. */
  readonly spilled: readonly ChunkKey[];
  readonly bytes: number;
}

export async function commitsOf(
  bucket: ReadableBucket,
  ranges: readonly StreamRange[],
): Promise<StreamCommits> {
  const spans = await spansOf(bucket, ranges);
  const commits: ReplayedCommit[] = [];
  const spilled: ChunkKey[] = [];
  const assembler = new CommitAssembler(lsn(0), (commit) => commits.push(commit));
  const taking: Taking = { spans, next: 0, assembler, location: bucket.location };
  let bytes = 0;
  if (spans.length > 0) {
    for await (const part of bucket.batchesOf(spans)) {
      spilled.push(...part.spilled);
      for (const batch of part.batches) {
        bytes += batch.payload.length;
        take(batch, taking);
      }
    }
  }
  if (commits.length !== spans.length) {
    const why = `${commits.length} of ${spans.length} commits are there`;
    const details = { store: bucket.location, key: "wal/", why };
    throw new StorageError("BOP_SINK_CORRUPT", `the log in ${bucket.location}: ${why}`, {
      details,
    });
  }
  return { commits, spilled, bytes };
}

/** Where the commits lie, in order. */
export async function spansOf(
  bucket: ReadableBucket,
  ranges: readonly StreamRange[],
): Promise<CommitSpan[]> {
  const spans: CommitSpan[] = [];
  for (const { stream, ...range } of ranges) {
    if (range.afterLsn < range.upToLsn) spans.push(...(await bucket.commits(stream, range)));
  }
  return spans.sort((a, b) => a.lsn - b.lsn);
}

interface Taking {
  readonly spans: readonly CommitSpan[];
  /** Those before it have been taken. */
  next: number;
  readonly assembler: CommitAssembler;
  readonly location: string;
}

/** What commits have of a batch. */
function take({ startLsn, payload }: ShippedBatch, taking: Taking): void {
  const { spans, assembler, location: file } = taking;
  const payloadLsn = startLsn + BATCH_HEADER.sizeBytes;
  for (; taking.next < spans.length; taking.next += 1) {
    const { firstLsn, lsn: endLsn } = spans[taking.next] as CommitSpan;
    const from = Math.max(0, firstLsn - payloadLsn);
    const to = Math.min(payload.length, endLsn - payloadLsn);
    if (to > from) {
      const place = { file, offset: payloadLsn + from };
      assembler.take({ startLsn: startLsn + from, payload: payload.subarray(from, to), place });
    }
    if (endLsn > payloadLsn + payload.length) return; // It goes on in the next batch.
  }
}
