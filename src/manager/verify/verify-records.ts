/**
 * RECORD LOGS AGAINST THEIR CHUNKS: every range of entries that a row of the manifest names.
 *
 * (1) A range is right if blocks of its log, in the chunk that it names, hold all of its entries.
 * (2) `livePages` of a chunk is the number of entries that rows name in it, `pageCount` the number of
 *     those that lie in it.
 * (3) A chunk that is named and not there is damage, told once for each log that has entries in it.
 */
import { isStorageError } from "../../base/errors.ts";
import type { ChunkId } from "../../base/units.ts";
import type { RecordBlockEntry } from "../../chunk/index.ts";
import type { ChunkRow, RecordLogRow } from "../../manifest/index.ts";
import { decodeLogBody } from "../../record-log/index.ts";
import type { Findings } from "./findings.ts";

interface NamedRange {
  readonly stream: number;
  readonly log: string;
  readonly first: bigint;
  readonly last: bigint;
}

/** What the rows of record logs name, chunk by chunk. */
export class RangeTally {
  readonly #byChunk = new Map<ChunkId, NamedRange[]>();

  constructor(rows: readonly RecordLogRow[], findings: Findings) {
    for (const { stream, state, name, lsn, body } of rows) {
      if (state !== "live") continue;
      try {
        for (const { chunk, first, last } of decodeLogBody(body, { log: name, lsn }).ranges) {
          const named = this.#byChunk.get(chunk) ?? [];
          named.push({ stream, log: name, first, last });
          this.#byChunk.set(chunk, named);
        }
      } catch (error) {
        const isDamage =
          isStorageError(error, "BOP_CORRUPT") || isStorageError(error, "BOP_FORMAT");
        if (!isDamage) throw error;
        findings.damage({ file: "manifest" }, error.message);
      }
    }
  }

  /** Chunks that rows of logs name and no row of a chunk of records does. */
  checkChunks(rows: readonly ChunkRow[], findings: Findings): void {
    const kinds = new Map(rows.map(({ chunk, kind }) => [chunk, kind]));
    for (const [chunk, named] of this.#byChunk) {
      const kind = kinds.get(chunk);
      if (kind === "records") continue;
      const why = kind === undefined ? "which no row names" : `which is one of ${kind}`;
      for (const { log, first, last } of named) {
        const what = `record log ${JSON.stringify(log)} has entries ${first} to ${last} in chunk ${chunk}, ${why}`;
        findings.damage({ file: "manifest" }, what);
      }
    }
  }

  /** See (3). */
  missing({ chunk, pageCount }: ChunkRow, { file, findings }: Place): void {
    const named = this.#byChunk.get(chunk) ?? [];
    if (named.length === 0) {
      findings.damage(
        { file },
        `the file is missing; of its ${pageCount} entries no log names one`,
      );
    }
    for (const log of new Set(named.map((range) => range.log))) {
      const lost = entriesIn(named.filter((range) => range.log === log));
      const what = `${lost} entries of record log ${JSON.stringify(log)}`;
      findings.damage({ file }, `the file is missing, and with it ${what}`);
    }
  }

  /** See (1) and (2). */
  check(row: ChunkRow, blocks: readonly RecordBlockEntry[], { file, findings }: Place): void {
    const named = this.#byChunk.get(row.chunk) ?? [];
    for (const range of named) {
      const absent = firstAbsent(range, blocks);
      if (absent === undefined) continue;
      const what = `entry ${absent} of record log ${JSON.stringify(range.log)} does not lie here`;
      findings.damage({ file }, what);
    }
    const live = entriesIn(named);
    if (live !== BigInt(row.livePages)) {
      const what = `record logs name ${live} entries of it; its row counts ${row.livePages}`;
      findings.damage({ file }, what);
    }
    if (row.references !== 1) {
      findings.damage({ file }, `is named by its logs, and its row counts ${row.references}`);
    }
    const held = blocks.reduce((sum, { entryCount }) => sum + entryCount, 0);
    if (held !== row.pageCount) {
      findings.damage({ file }, `has ${held} entries; the manifest says ${row.pageCount}`);
    }
  }
}

interface Place {
  readonly file: string;
  readonly findings: Findings;
}

/** Blocks of a log may lie in any order. */
function firstAbsent(
  { stream, first, last }: NamedRange,
  blocks: readonly RecordBlockEntry[],
): bigint | undefined {
  const own = blocks
    .filter((block) => block.stream === stream)
    .sort((a, b) => (a.firstIndex < b.firstIndex ? -1 : 1));
  let next = first;
  for (const { firstIndex, entryCount } of own) {
    const end = firstIndex + BigInt(entryCount);
    if (firstIndex <= next && next < end) next = end;
  }
  return next > last ? undefined : next;
}

function entriesIn(ranges: readonly NamedRange[]): bigint {
  return ranges.reduce((sum, { first, last }) => sum + last - first + 1n, 0n);
}
