/**
 * THE LOG OF A BUCKET AS SEGMENT FILES of a directory in which no segment lies.
 *
 * (1) When it resolves, every file is synced, and so are their names.
 * (2) One segment is open at a time, and one part of the log is in memory.
 * (3) It ends where the log of the store is to go on (points.ts (5)). A log of which nothing is needed
 *     begins there.
 */
import type { File, Storage } from "../base/env.ts";
import { ioError } from "../base/errors.ts";
import { roundUp } from "../base/units.ts";
import { BLOCK_BYTES, CommitScan, type SpillFields, segmentFileName } from "../wal/index.ts";
import type { ChunkKey, LogPart, ReadableBucket, ShippedBatch } from "./bucket.ts";
import { cutBatch } from "./cut.ts";
import type { RestorePoint } from "./points.ts";
import { SegmentPlanner, type SegmentWrite } from "./segments.ts";

export interface LogPlace {
  readonly storage: Storage;
  /** Of the store. */
  readonly directory: string;
  readonly segmentBytes: number;
}

export interface RestoredLog {
  /** From 1 to this, all of them. */
  readonly sequences: number;
  /** Where it begins. Above the checkpoint only if nothing of the log was needed. */
  readonly firstLsn: number;
  /** Whole blocks. */
  readonly endLsn: number;
}

export interface WriteLogOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onBytes?: (bytes: number) => void;
  /** Chunks that commits of the log name. */
  readonly onSpilled?: (chunks: readonly ChunkKey[]) => void;
}

/** Writes what the point needs. */
export async function writeLog(
  place: LogPlace,
  source: { readonly bucket: ReadableBucket; readonly point: RestorePoint },
  options: WriteLogOptions,
): Promise<RestoredLog> {
  const { bucket, point } = source;
  const { storeId } = bucket;
  const { segmentBytes } = place;
  const files = new SegmentFiles(place);
  let planner: SegmentPlanner | undefined;
  const goesOnLsn = roundUp(point.goesOn.lsn, BLOCK_BYTES);
  let firstLsn = goesOnLsn; // See (3).
  let wallMs = Math.max(point.state?.wallMs ?? 0, point.goesOn.wallMs);
  try {
    for await (const part of partsOf(bucket, point)) {
      options.signal?.throwIfAborted();
      const batches = part.batches.flatMap((whole) => cutBatch(whole, point.upToLsn) ?? []);
      options.onSpilled?.(namedIn(part, batches));
      for (const batch of batches) {
        if (planner === undefined) firstLsn = batch.startLsn;
        planner ??= new SegmentPlanner({ storeId, segmentBytes }, firstLsn);
        await files.write(planner.add(batch));
        wallMs = Math.max(wallMs, batch.wallMs);
        options.onBytes?.(batch.payload.length);
      }
    }
    planner ??= new SegmentPlanner({ storeId, segmentBytes }, firstLsn);
    for (const write of planner.idle(goesOnLsn, wallMs)) await files.write([write]);
    await files.write(planner.end(wallMs));
    await files.finish();
    return { sequences: planner.sequence, firstLsn, endLsn: planner.endLsn };
  } catch (error) {
    await files.abandon();
    throw error;
  }
}

/** The chunks that commits name which are in the log as it was cut. */
function namedIn({ batches: all, spilled }: LogPart, batches: readonly ShippedBatch[]) {
  const isWhole = all.length === batches.length && all.at(-1) === batches.at(-1);
  if (isWhole || spilled.length === 0) return spilled;
  const named = new Set<number>();
  for (const { startLsn, payload } of batches) {
    const place = { file: "log", offset: startLsn };
    const onSpill = ({ chunk }: SpillFields) => void named.add(chunk);
    const scan = new CommitScan({ startLsn, payload, place, onSpill });
    while (scan.next() !== undefined);
  }
  return spilled.filter(({ chunk }) => named.has(chunk));
}

/** Nothing is asked for where nothing is needed. */
async function* partsOf(
  bucket: ReadableBucket,
  { fromLsn, upToLsn }: RestorePoint,
): AsyncGenerator<LogPart> {
  if (upToLsn === 0) return;
  yield* bucket.log({ fromLsn, toLsn: upToLsn });
}

class SegmentFiles {
  readonly #place: LogPlace;
  #open: { readonly sequence: number; readonly path: string; readonly file: File } | undefined;

  constructor(place: LogPlace) {
    this.#place = place;
  }

  async write(writes: readonly SegmentWrite[]): Promise<void> {
    for (const { sequence, offset, bytes } of writes) {
      const { path, file } = await this.#fileOf(sequence);
      await file.write(bytes, offset).catch((cause) => {
        throw ioError("write", path, cause);
      });
    }
  }

  async finish(): Promise<void> {
    await this.#end();
    const { storage, directory } = this.#place;
    await storage.syncDirectory(`${directory}/wal`).catch((cause) => {
      throw ioError("sync", `${directory}/wal`, cause);
    });
  }

  async abandon(): Promise<void> {
    await this.#open?.file.close().catch(() => undefined);
    this.#open = undefined;
  }

  async #fileOf(sequence: number) {
    if (this.#open?.sequence === sequence) return this.#open;
    await this.#end();
    const { storage, directory } = this.#place;
    const path = `${directory}/wal/${segmentFileName(sequence)}`;
    const file = await storage.open(path, "create").catch((cause) => {
      throw ioError("create", path, cause);
    });
    this.#open = { sequence, path, file };
    return this.#open;
  }

  async #end(): Promise<void> {
    if (this.#open === undefined) return;
    const { path, file } = this.#open;
    try {
      await file.sync();
      await file.close();
    } catch (cause) {
      throw ioError("sync", path, cause);
    }
    this.#open = undefined;
  }
}
