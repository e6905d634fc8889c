/**
 * WHAT LIES IN THE LOG'S DIRECTORY, judged by file names, the register and the headers alone.
 *
 *   used       has a header of its own sequence: batches may lie in it
 *   spare      zeros, a header of an older sequence, or a header that does not parse: what lies in
 *              it decides (walk.ts)
 *   orphan     not registered, and needed by nobody: released just before a crash
 *   the rest   files with other names are left alone
 *
 * (1) Every registered sequence but the highest has its file, and the highest was never used
 *     (segment-store.ts (1) and (2)). Anything else is damage: a file was lost, or the register is
 *     an old copy.
 */
import { ioError, StorageError } from "../base/errors.ts";
import {
  corrupt,
  decodeSegmentHeader,
  type SegmentHeader,
  SUPPORTED,
  segmentFileName,
  sequenceInName,
} from "../wal/index.ts";
import type { RecoverOptions } from "./recover.ts";
import { SegmentReader } from "./segment-reader.ts";

export interface UsedSegment {
  readonly sequence: number;
  readonly path: string;
  readonly header: SegmentHeader;
}

export interface SpareSegment {
  readonly sequence: number;
  readonly path: string;
  /** Its header does not parse. */
  readonly damaged: boolean;
}

export interface Survey {
  readonly used: readonly UsedSegment[];
  readonly spares: readonly SpareSegment[];
  /** Paths of files to remove. */
  readonly orphans: readonly string[];
  /** The highest sequence registered; 0 if there is none. */
  readonly reserved: number;
}

type Look = "zero" | "damaged" | SegmentHeader;

export async function survey(options: RecoverOptions): Promise<Survey> {
  const { registered, directory } = options;
  const found = await sequencesFound(options);
  const reserved = Math.max(0, ...registered);
  const used: UsedSegment[] = [];
  const spares: SpareSegment[] = [];
  const orphans: string[] = [];
  for (const sequence of registered) {
    if (sequence === reserved || found.has(sequence)) continue;
    const path = `${directory}/${segmentFileName(sequence)}`;
    throw corrupt({ file: path, offset: 0 }, "a segment of the log is missing");
  }
  const known = new Set<number>(registered);
  for (const sequence of found) {
    const path = `${directory}/${segmentFileName(sequence)}`;
    const look = await lookAt(options, { path, sequence });
    const header = typeof look === "object" && look.sequence === sequence ? look : undefined;
    if (!known.has(sequence)) {
      if (header !== undefined) refuseUnregistered(path, { header, options });
      orphans.push(path);
    } else if (header !== undefined) {
      if (sequence === reserved) {
        throw corrupt({ file: path, offset: 0 }, "a segment is in use that was only reserved");
      }
      used.push({ sequence, path, header });
    } else if (sequence !== reserved) {
      spares.push({ sequence, path, damaged: look === "damaged" });
    }
  }
  return { used, spares, orphans, reserved };
}

/** Sequences that have a file, in ascending order. */
async function sequencesFound({ env, directory }: RecoverOptions): Promise<Set<number>> {
  try {
    const names = await env.storage.list(directory);
    const sequences = names.map(sequenceInName).filter((sequence) => sequence !== undefined);
    return new Set(sequences.sort((a, b) => a - b));
  } catch (cause) {
    throw ioError("listing", directory, cause);
  }
}

/** What is released ends at or below the checkpoint, and is unregistered only after that. */
function refuseUnregistered(
  path: string,
  { header, options }: { header: SegmentHeader; options: RecoverOptions },
): void {
  if (header.firstLsn <= options.checkpointLsn) return;
  throw corrupt({ file: path, offset: 0 }, "a segment of the log is not registered");
}

async function lookAt(
  { env, storeId }: RecoverOptions,
  { path, sequence }: { path: string; sequence: number },
): Promise<Look> {
  const reader = await SegmentReader.open(env.storage, { path, storeId, sequence });
  try {
    const decoded = decodeSegmentHeader(await reader.head());
    if (decoded.type === "foreign") throw formatError(path, decoded.found);
    if (decoded.type !== "header") return decoded.type;
    const { header } = decoded;
    if (!sameBytes(header.storeId, storeId)) {
      throw corrupt({ file: path, offset: 0 }, "the segment belongs to another store");
    }
    if (header.sequence > sequence) {
      throw corrupt({ file: path, offset: 0 }, `the segment is number ${header.sequence}`);
    }
    return header;
  } finally {
    await reader.close();
  }
}

function formatError(file: string, found: string): StorageError {
  const message = `${file} has ${found}; this version reads ${SUPPORTED}`;
  return new StorageError("BOP_FORMAT", message, {
    details: { file, found, supported: SUPPORTED },
  });
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
