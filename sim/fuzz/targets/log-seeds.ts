/** PAYLOADS OF BATCHES as the encoders write them: every kind of frame, whole commits. */
import { chunkId, lsn } from "../../../src/base/units.ts";
import { seeded } from "../../../src/io/index.ts";
import { encodeCatalogueEntry } from "../../../src/manifest/index.ts";
import { BATCH_HEADER } from "../../../src/wal/batch.ts";
import type { FrameBuffer } from "../../../src/wal/bytes.ts";
import * as frame from "../../../src/wal/frame.ts";

const PAGE_BYTES = 512;

/** For a batch that begins at `startLsn`. */
export function payloadsOf(startLsn: number): Uint8Array[] {
  const random = seeded(9);
  const page = random.bytes(PAGE_BYTES);
  const sparse = new Uint8Array(PAGE_BYTES);
  sparse.set([1, 2, 3], 40);
  const firstLsn = startLsn + BATCH_HEADER.sizeBytes;
  const entry = encodeCatalogueEntry({
    type: "create",
    stream: 1 as never,
    name: "a",
    engine: "sqlite",
    pageBytes: PAGE_BYTES,
    createdAtMs: 5,
    importing: false,
  });
  const writers: ((into: FrameBuffer & { startLsn: typeof base }) => void)[] = [];
  const base = lsn(firstLsn);
  writers.push(
    (into) => frame.encodePage(into, 1, page),
    (into) => frame.encodePage(into, 2, sparse),
    (into) =>
      frame.encodeDelta(into, 1, {
        baseLsn: lsn(100),
        base: new Uint8Array(PAGE_BYTES),
        image: sparse,
      }),
    (into) => frame.encodeEntry(into, entry),
    (into) =>
      frame.encodeSpill(into, {
        chunk: chunkId(4),
        fileBytes: 5000,
        pageCount: 3,
        directoryCrc: 77,
      }),
    (into) => frame.encodeRecords(into, random.bytes(40)),
  );
  return [...writers.map((write) => commitOf([write])), commitOf(writers.slice(0, 3))];

  function commitOf(frames: typeof writers): Uint8Array {
    const into = { bytes: new Uint8Array(4096), at: 0, startLsn: base };
    for (const write of frames) write(into);
    const size = { pageCount: 2, pageBytes: PAGE_BYTES };
    frame.encodeCommit(into, { stream: 1, frameCount: frames.length, span: into.at, ...size });
    return into.bytes.slice(0, into.at);
  }
}
