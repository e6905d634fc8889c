/**
 * IMPORT: a database is made of a SQLite file, or of the pages of one that is restored.
 *
 * (1) Nothing of it can be seen before it is complete and checked: it is written under a catalogue
 *     row in state `importing`, and becomes live by one entry of the catalogue at the end.
 * (2) An import that fails, or that a crash cuts off, leaves nothing: its row is dropped, at once (also
 *     while the log takes nothing else) or when the store opens.
 * (3) What is more than a transaction may keep in memory goes to chunks of its own and not through
 *     the log: it is written once.
 * (4) Pages are copied as they are. What the engine could not work with (a module that it lacks,
 *     damage) is found before the database is live, and refused with the reason.
 */
import { MIB } from "../../base/units.ts";
import type { Log } from "../../write/index.ts";
import { checkImported, type ImportedPages } from "./import-check.ts";
import type { TransferOptions } from "./transfer-options.ts";

/** Bytes that are read at once, and that one commit carries in the log. */
const PIECE_BYTES = 4 * MIB;
/** Bytes that one commit carries in a chunk of its own, which has room for them. */
const SPILLED_BYTES = 48 * MIB;

/** Pages to import: of a file, or of a database that is restored. */
export interface PageSource {
  readonly pageBytes: number;
  readonly pageCount: number;
  /** The pages `from` to `to`, both included, in order. The images are the caller's. */
  pages(from: number, to: number): Promise<Uint8Array[]>;
  /** Throws if what was read is not of one moment. */
  assertUnchanged(): Promise<void>;
}

export interface ImportTarget extends ImportedPages {
  readonly log: Log;
}

/** Copies every page of the file, then checks what was copied. Leaves it to the caller to publish. */
export async function importFile(
  source: { readonly file: PageSource; readonly path: string },
  target: ImportTarget,
  options: TransferOptions,
): Promise<void> {
  const { pageCount, pageBytes } = source.file;
  const isSmall = pageCount * pageBytes <= target.space.transactionMemoryBytes;
  await (isSmall ? copyThroughLog : copyToChunks)(source.file, target, options);
  await source.file.assertUnchanged();
  await checkImported(target, source.path, options.signal);
}

async function copyThroughLog(
  file: PageSource,
  { space, log }: ImportTarget,
  options: TransferOptions,
): Promise<void> {
  const { pageBytes, pageCount } = file;
  for await (const { from, images } of pieces(file, [1, pageCount], options)) {
    const base = space.pin(space.newestLsn);
    try {
      const pages = new Map(images.map((image, index) => [from + index, image.slice()]));
      await log.durable(space.stage({ base, pageCount, pageBytes, pages }).seal());
    } finally {
      space.unpin(base);
    }
  }
}

async function copyToChunks(
  file: PageSource,
  { space, log }: ImportTarget,
  options: TransferOptions,
): Promise<void> {
  const { pageBytes, pageCount } = file;
  const perCommit = Math.floor(SPILLED_BYTES / pageBytes);
  for (let first = 1; first <= pageCount; first += perCommit) {
    const base = space.pin(space.newestLsn);
    const spill = space.spill(base, pageBytes);
    try {
      const last = Math.min(pageCount, first + perCommit - 1);
      for await (const { from, images } of pieces(file, [first, last], options)) {
        spill.put(new Map(images.map((image, index) => [from + index, image])));
      }
      await spill.settle();
      const staged = space.stage({ base, pageCount, pageBytes, pages: new Map(), spill });
      const lsn = staged.seal();
      spill.close();
      await log.durable(lsn);
    } finally {
      spill.discard(); // Nothing, if it was closed.
      space.unpin(base);
    }
  }
}

/** The pages `first` to `last`, a few megabytes at a time. */
async function* pieces(
  file: PageSource,
  [first, last]: readonly [first: number, last: number],
  { signal, onProgress }: TransferOptions,
): AsyncGenerator<{ readonly from: number; readonly images: readonly Uint8Array[] }> {
  const { pageBytes, pageCount } = file;
  const perPiece = Math.max(1, Math.floor(PIECE_BYTES / pageBytes));
  for (let from = first; from <= last; from += perPiece) {
    signal?.throwIfAborted();
    const to = Math.min(last, from + perPiece - 1);
    yield { from, images: await file.pages(from, to) };
    onProgress?.(to * pageBytes, pageCount * pageBytes);
  }
}
