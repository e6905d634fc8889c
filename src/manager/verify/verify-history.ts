/**
 * THE HISTORY OF THE LOG, every batch of it, against what the manifest says of its segments.
 *
 * (1) Damage here loses nothing that is served now, and no recovery reads it. It is damage still: a
 *     fork of the past that needs it is refused.
 */
import type { HistoryRow } from "../../manifest/index.ts";
import { batchBytes, historyFileName, segmentFileName, segmentItems } from "../../wal/index.ts";
import type { FileSource } from "../transfer/file-source.ts";
import type { Findings } from "./findings.ts";
import type { LogCounts, OpenSegment } from "./verify-log.ts";

export interface HistoryFacts {
  readonly storeId: Uint8Array;
  readonly history: readonly HistoryRow[];
  readonly findings: Findings;
}

/** Names of the files in which history lies. */
export const historyNames = (history: readonly HistoryRow[]): Set<string> =>
  new Set(history.map(nameOf));

/** Adds what it has read to the counts. */
export async function verifyHistory(
  names: readonly string[],
  { facts, open }: { readonly facts: HistoryFacts; readonly open: OpenSegment },
): Promise<Pick<LogCounts, "segments" | "batches" | "logBytes">> {
  const counts = { segments: 0, batches: 0, logBytes: 0 };
  const there = new Set(names);
  for (const row of facts.history) {
    const name = nameOf(row);
    const file = `wal/${name}`;
    if (!there.has(name)) {
      facts.findings.damage({ file }, "the manifest names this segment as history; it is missing");
      continue;
    }
    const source = await open(name);
    try {
      const seen = verifySegment(source, { row, file, facts });
      counts.segments += 1;
      counts.batches += seen.batches;
      counts.logBytes += seen.bytes;
    } finally {
      await source.close();
    }
  }
  return counts;
}

interface SegmentOfHistory {
  readonly row: HistoryRow;
  readonly file: string;
  readonly facts: HistoryFacts;
}

function verifySegment(source: FileSource, { row, file, facts }: SegmentOfHistory) {
  const { findings, storeId } = facts;
  const seen = { batches: 0, bytes: 0 };
  const end = () => row.firstLsn + seen.bytes;
  for (const item of segmentItems(source, { storeId, sequence: row.sequence })) {
    if (item.type === "header" && item.header.firstLsn === row.firstLsn) continue;
    if (item.type === "header" || item.type === "no-header") {
      findings.damage({ file, offset: 0 }, "its header is not that of the segment (of history)");
      return seen;
    }
    if (end() >= row.endLsn) return seen;
    if (item.type !== "batch" || item.header.startLsn !== end()) {
      const what = "a batch of the history is damaged; forks of its past are refused";
      findings.damage({ file, offset: item.offset }, what);
      return seen;
    }
    seen.batches += 1;
    seen.bytes += batchBytes(item.header.payloadBytes);
  }
  if (end() < row.endLsn) {
    const what = `the history should reach to ${row.endLsn} and ends at ${end()}`;
    findings.damage({ file, offset: source.sizeBytes }, what);
  }
  return seen;
}

const nameOf = ({ sequence, isCopy }: HistoryRow): string =>
  isCopy ? historyFileName(sequence) : segmentFileName(sequence);
