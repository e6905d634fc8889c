/**
 * WHAT LIES IN THE LOG'S DIRECTORY, judged by file names, the register and the headers alone.
 *
 *   used       has a header of its own sequence: batches may lie in it
 *   spare      zeros, a header of an older sequence, or a header that does not parse: what lies in
 *              it decides (walk.ts)
 *   orphan     not registered, and needed by nobody: released just before a crash
 *   history    registered as such: not looked at, and not missed before somebody asks for it
 *   the rest   files with other names are left alone; one that ends in .wal and is no number of
 *              ours is not for us to judge, and refused
 *
 * (1) Every registered sequence but the highest has its file, and the highest was never used
 *     (spare-segments.ts (1) and (2)). Anything else is damage: a file was lost, or the register is
 *     an old copy. What the archive has a copy of is put back (holes.ts).
 */
import { ioError, StorageError } from "../../base/errors.ts";
import {
  corrupt,
  decodeSegmentHeader,
  type SegmentHeader,
  SUPPORTED,
  segmentFileName,
  sequenceInHistoryName,
  sequenceInName,
} from "../../wal/index.ts";
import { SegmentReader } from "../segments/segment-reader.ts";
import type { CheckOptions } from "./check-options.ts";
import { closeHoles, type Hole } from "./holes.ts";
import type { UsedSegment } from "./used-segment.ts";

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
  /** The same, of copies that no history names. */
  readonly copies: readonly string[];
  /** The highest sequence registered; 0 if there is none. */
  readonly reserved: number;
}

type Look = "zero" | "damaged" | SegmentHeader;

export async function survey(options: CheckOptions): Promise<Survey> {
  const { registered, directory } = options;
  const found = await sequencesFound(options);
  const reserved = Math.max(0, ...registered);
  const used: UsedSegment[] = [];
  const spares: SpareSegment[] = [];
  const orphans: string[] = [];
  const holes: Hole[] = [];
  for (const sequence of registered) {
    if (sequence === reserved || found.has(sequence)) continue;
    const path = `${directory}/${segmentFileName(sequence)}`;
    holes.push({ sequence, path, isMissing: true });
  }
  const known = new Set<number>(registered);
  const history = historyOf(options);
  for (const sequence of found) {
    if (history.get(sequence) === false) continue;
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
      if (look === "damaged") holes.push({ sequence, path, isMissing: false });
      else spares.push({ sequence, path, damaged: false });
    }
  }
  used.sort((a, b) => a.sequence - b.sequence);
  holes.sort((a, b) => a.sequence - b.sequence);
  const closed = await closeHoles(options, { used, holes });
  for (const { sequence, path, isMissing } of holes) {
    const header = closed.get(sequence);
    if (header !== undefined) used.push({ sequence, path, header });
    else if (!isMissing) spares.push({ sequence, path, damaged: true });
    else throw corrupt({ file: path, offset: 0 }, "a segment of the log is missing");
  }
  used.sort((a, b) => a.sequence - b.sequence);
  spares.sort((a, b) => a.sequence - b.sequence);
  return { used, spares, orphans, copies: await strayCopies(options), reserved };
}

/** Sequences of history, and whether a copy is all there should be of them. */
export function historyOf({ history = [] }: CheckOptions): Map<number, boolean> {
  return new Map(history.map(({ sequence, isCopy }) => [sequence, isCopy]));
}

/** What a crash has left of copies for history. */
async function strayCopies(options: CheckOptions): Promise<string[]> {
  const { env, directory } = options;
  const history = historyOf(options);
  const names = await env.storage.list(directory).catch((cause) => {
    throw ioError("listing", directory, cause);
  });
  return names.flatMap((name) => {
    const sequence = sequenceInHistoryName(name);
    const isStray = sequence !== undefined && history.get(sequence) !== true;
    return isStray ? [`${directory}/${name}`] : [];
  });
}

/** Sequences that have a file, in ascending order. */
export async function sequencesFound({
  env,
  directory,
}: Pick<CheckOptions, "env" | "directory">): Promise<Set<number>> {
  try {
    const names = await env.storage.list(directory);
    const sequences = names.map(sequenceInName).filter((sequence) => sequence !== undefined);
    const stray = names.find((name) => name.endsWith(".wal") && sequenceInName(name) === undefined);
    if (stray !== undefined) {
      throw corrupt({ file: `${directory}/${stray}`, offset: 0 }, "this is no name of a segment");
    }
    return new Set(sequences.sort((a, b) => a - b));
  } catch (cause) {
    throw cause instanceof StorageError ? cause : ioError("listing", directory, cause);
  }
}

/** What is released ends at or below the checkpoint, and is unregistered only after that. */
function refuseUnregistered(
  path: string,
  { header, options }: { header: SegmentHeader; options: CheckOptions },
): void {
  if (header.firstLsn <= options.checkpointLsn) return;
  throw corrupt({ file: path, offset: 0 }, "a segment of the log is not registered");
}

/** What the first block of a file says. */
export async function lookAt(
  { env, storeId }: Pick<CheckOptions, "env" | "storeId">,
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
