/**
 * WHAT IS LEFT OF A LOG in which recovery has found damage: the segments whose headers can be read,
 * and the files of those whose cannot.
 */
import { isStorageError } from "../../base/errors.ts";
import { segmentFileName } from "../../wal/index.ts";
import type { CheckOptions } from "./check-options.ts";
import { historyOf, lookAt, sequencesFound } from "./survey.ts";
import type { UsedSegment } from "./used-segment.ts";

export interface Remains {
  /** In order of use. */
  readonly used: readonly UsedSegment[];
  /** Paths of registered segments that are missing, or whose header is damaged. */
  readonly holes: readonly string[];
  /** A sequence that no segment has been used under. */
  readonly reserved: number;
}

export async function segmentsLeft(options: CheckOptions): Promise<Remains> {
  const { registered, directory } = options;
  const found = await sequencesFound(options);
  for (const sequence of historyOf(options).keys()) found.delete(sequence);
  const used: UsedSegment[] = [];
  const holes: string[] = [];
  for (const sequence of new Set<number>([...registered, ...found].sort((a, b) => a - b))) {
    const path = `${directory}/${segmentFileName(sequence)}`;
    if (!found.has(sequence)) {
      holes.push(path);
      continue;
    }
    const look = await lookAt(options, { path, sequence }).catch((error) => {
      if (isStorageError(error, "BOP_CORRUPT")) return "damaged" as const;
      throw error;
    });
    if (look === "damaged") holes.push(path);
    else if (look !== "zero" && look.sequence === sequence)
      used.push({ sequence, path, header: look });
  }
  const newest = Math.max(0, ...registered, ...used.map(({ sequence }) => sequence + 1));
  return { used, holes, reserved: newest };
}
