/** RANGES OF CHUNKS that are read in one request each: neighbours together. Pure. */
import { KIB, MIB } from "../base/units.ts";

export interface ByteSpan {
  readonly offset: number;
  readonly bytes: number;
}

/** What lies this close is read along: a request takes as long as so many bytes. */
const GAP_BYTES = 64 * KIB;
const READ_BYTES_MAX = 8 * MIB;

/** Spans in any order, which may overlap, as few as make sense, in order, within the file. */
export function joined(spans: readonly ByteSpan[], fileBytes: number): ByteSpan[] {
  const found: { offset: number; bytes: number }[] = [];
  for (const { offset, bytes } of [...spans].sort((a, b) => a.offset - b.offset)) {
    const end = Math.min(fileBytes, offset + bytes);
    const last = found.at(-1);
    const lastEnd = last === undefined ? 0 : last.offset + last.bytes;
    const isNear = last !== undefined && offset <= lastEnd + GAP_BYTES;
    if (isNear && end - last.offset <= READ_BYTES_MAX) {
      last.bytes = Math.max(lastEnd, end) - last.offset;
    } else {
      const from = Math.max(offset, lastEnd);
      if (end > from) found.push({ offset: from, bytes: end - from });
    }
  }
  return found;
}
